package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// node is the machine, with a count of the batches that it let go of and that the
// keystore does not have yet.
type node struct {
	*protocol.Node
	unstored int
}

// Step counts what is to be stored under the very lock of the step that let go of
// it: no cursor is saved in between.
func (n *node) Step(ev protocol.Event) []protocol.Effect {
	effects := n.Node.Step(ev)
	n.count(effects)
	return effects
}

func (n *node) count(effects []protocol.Effect) {
	for _, effect := range effects {
		switch effect.(type) {
		case protocol.Complete, protocol.StoreRecovered, protocol.MarkMoved:
			n.unstored++
		}
	}
}

// open opens the keystore of a member.
func (m *member) open(ctx context.Context, kept []byte) (err error) {
	manifest := m.cfg.Manifest
	for i, purpose := range []string{purposeHost, purposeSeed, purposeSeal} {
		key, err := derive(ctx, m.cfg.Provider, purpose, manifest.Fleet, manifest.Epoch)
		if err != nil {
			m.wipe()
			return err
		}
		m.keys[i] = key
	}
	seal := sealKey(m.keys[2], manifest)
	defer clear(seal[:])
	m.keys[2].Wipe()
	if err = beginFreezes(m.cfg.Storage, manifest, kept); err == nil {
		m.store, err = keystore.Open(m.cfg.Storage, &seal)
	}
	if errors.Is(err, keystore.ErrRetired) {
		err = fmt.Errorf("%w: set [node] manifest to that one's file", err)
	}
	if err != nil {
		m.wipe()
	}
	return err
}

// wipe forgets keys that no machine has taken.
func (m *member) wipe() {
	for _, key := range m.keys {
		key.Wipe()
	}
}

// machine builds the machine over what is in the keystore.
func (m *member) machine(lineage *wire.Lineage) (*node, error) {
	known := map[wire.BatchRef]protocol.KnownBatch{}
	err := m.store.Known(func(ref keystore.Ref, transcript, madeBy [32]byte, complete, moved bool) {
		known[batchRef(ref)] = protocol.KnownBatch{
			Transcript: transcript, MadeBy: madeBy, Complete: complete, Moved: moved,
		}
	})
	if err != nil {
		return nil, err
	}
	refused, err := m.store.Refused()
	if err != nil {
		return nil, err
	}
	freezes, err := OpenFreezes(m.cfg.Storage, m.cfg.Manifest)
	if err != nil {
		return nil, err
	}
	if m.heard != nil { // the file is as old as the member's last run
		news, err := freezes.Learn(m.heard)
		if err != nil {
			return nil, err
		}
		m.obedience.unkept.Store(news)
	}
	var inForce *policy.Policy
	if r := m.host.rules.Load(); r != nil {
		inForce = r.inForce
	}
	return &node{Node: protocol.NewNode(protocol.NodeConfig{
		Manifest: m.cfg.Manifest, Lineage: lineage, Successor: m.successor(),
		Access: m.host.access.Load(), Index: m.cfg.Index, Host: m.keys[0], SeedSecret: m.keys[1],
		Rand: rand.Reader, StandbyDelay: StandbyDelay, Known: known, Refused: refused,
		Policy: inForce, Ledger: m.host.ledger, Freezes: freezes, Oracle: m.host.oracle,
		Each: func(n int, do func(int)) { m.run.Each(n, do) },
	})}, nil
}
