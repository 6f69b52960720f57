package worker

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Accept has a node's device sign that a manifest may follow the node's own. Forced is for a
// fleet that has too few nodes left: see wire.Manifest.Enough. The caller stores what it
// returns, with keystore.SaveSuccessor.
func Accept(
	ctx context.Context, p *keyprovider.Supervised, m *wire.Manifest, index int, next *wire.Manifest, forced bool,
) (*keystore.Successor, error) {
	if err := m.CheckSuccessor(next); err != nil {
		return nil, err
	}
	if err := CheckCard(ctx, p, m, index); err != nil {
		return nil, err
	}
	text, err := json.Marshal(next)
	if err != nil {
		return nil, err
	}
	approval := wire.SuccessorApproval{Node: uint32(index), Next: next.Hash(), Forced: forced}
	leaves := [][32]byte{approval.Leaf(m)}
	signature, err := p.Sign(ctx, wire.AttestDigest(m, leaves))
	if err != nil {
		return nil, fmt.Errorf("sign the approval: %w", err)
	}
	approval.Attestation = wire.NewAttestations(leaves, signature)[0]
	if err := approval.Verify(m, next.Hash()); err != nil {
		return nil, err
	}
	return &keystore.Successor{Manifest: text, Approval: wire.Encode(&approval), Forced: forced}, nil
}

// Acceptance is what is approved to follow one manifest of a node.
type Acceptance struct {
	Manifest *wire.Manifest
	Next     *wire.Manifest // nil: nothing is approved
	Storage  string         // where it is kept
	Index    int            // of the node in Manifest
	Forced   bool
	Dealt    bool // shares were dealt to it: it can't be taken back
}

// Acceptances are a node's manifests, from the configured one to the last that its operator
// approved, and what is approved to follow each. They stand in files, and no device is
// asked. With an error the last one is of the file that can't be used.
func Acceptances(storage string, m *wire.Manifest, index int) ([]Acceptance, error) {
	var all []Acceptance
	for m != nil {
		a := Acceptance{Manifest: m, Storage: StorageOf(storage, m), Index: index}
		kept, next, approval, err := ReadSuccessor(a.Storage, m)
		if err != nil {
			return append(all, a), err
		}
		if kept != nil {
			a.Next, a.Index, a.Forced, a.Dealt = next, int(approval.Node), kept.Forced, kept.Dealt
		}
		all = append(all, a)
		m, index = next, -1 // nobody has asked the device yet
	}
	return all, nil
}
