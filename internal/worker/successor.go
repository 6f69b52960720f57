package worker

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a node's operator approved to follow the node's manifest stands in a file of its
// storage, which frost-worker accept-manifest writes beside a running worker.

// accepted is a manifest that the operator approved.
type accepted struct {
	next     *wire.Manifest
	raw      []byte // its JSON, as the file has it
	approval *wire.SuccessorApproval
}

// ReadSuccessor reads what is approved to follow a manifest, in the part of a node's storage
// that is this manifest's, and verifies it; nil if nothing is.
func ReadSuccessor(storage string, m *wire.Manifest, index int) (
	*keystore.Successor, *wire.Manifest, *wire.SuccessorApproval, error) {
	kept, err := keystore.LoadSuccessor(storage)
	if err != nil || kept == nil {
		return nil, nil, nil, err
	}
	next, approval, err := openSuccessor(kept, m, index)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s in %s: %w: frost-worker accept-manifest --revoke takes it back",
			keystore.SuccessorFile, storage, err)
	}
	return kept, next, approval, nil
}

func openSuccessor(kept *keystore.Successor, m *wire.Manifest, index int) (*wire.Manifest, *wire.SuccessorApproval, error) {
	next, err := wire.ParseManifest(kept.Manifest)
	if err != nil {
		return nil, nil, err
	}
	if err := m.CheckSuccessor(next); err != nil {
		return nil, nil, err
	}
	var approval wire.SuccessorApproval
	if err := wire.Decode(kept.Approval, maxApproval, &approval); err != nil {
		return nil, nil, err
	}
	if int(approval.Node) != index {
		return nil, nil, fmt.Errorf("it is the approval of node %d, and this is node %d", approval.Node, index)
	}
	return next, &approval, approval.Verify(m, next.Hash())
}

const maxApproval = 4 << 10 // bytes

// lookAtSuccessor reads the file, and does what follows if it changed.
func (m *member) lookAtSuccessor() {
	kept, next, approval, err := ReadSuccessor(m.cfg.Storage, m.cfg.Manifest, m.cfg.Index)
	if err != nil {
		if m.unapproved.Swap(&err) == nil {
			m.log.Error("what the operator approved to follow can't be read; what was read before stays", "err", err)
		}
		return
	}
	m.unapproved.Store(nil)
	before := m.accepted.Load()
	switch {
	case next == nil && before == nil:
		return
	case next == nil:
		m.accepted.Store(nil)
		hash := before.next.Hash()
		m.log.Warn("the operator took the approval of the next manifest back", "hash", hex.EncodeToString(hash[:]))
		m.run.Step(protocol.SuccessorChanged{})
		return
	}
	a := &accepted{next: next, raw: kept.Manifest, approval: approval}
	if before != nil && bytes.Equal(before.raw, a.raw) && before.approval.Forced == approval.Forced {
		return
	}
	m.accepted.Store(a)
	hash := next.Hash()
	m.log.Warn("the operator approved the next manifest", "hash", hex.EncodeToString(hash[:]), "epoch", next.Epoch,
		"n", next.N, "t", next.T, "forced", approval.Forced)
	m.run.Step(protocol.SuccessorChanged{Next: hash})
}

// approved is what the member's heartbeats say of that; nil: nothing.
func (m *member) approved() *wire.SuccessorApproval {
	if a := m.accepted.Load(); a != nil {
		return a.approval
	}
	return nil
}

// dealt keeps that the node deals to a manifest. If that can't be kept, or if the operator
// took the approval back, no deal leaves.
func (m *member) dealt(e protocol.Dealt) {
	a := m.accepted.Load()
	err := errors.New("it is not approved")
	if a != nil && a.next.Hash() == e.Next {
		err = keystore.MarkDealt(m.cfg.Storage, a.raw)
	}
	if m.undealt.Store(err != nil); err != nil {
		m.log.Error("shares are not dealt to the next manifest", "manifest", shortHash(e.Next), "err", err)
	}
}
