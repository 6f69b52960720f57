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
func ReadSuccessor(storage string, m *wire.Manifest) (
	kept *keystore.Successor, next *wire.Manifest, approval *wire.SuccessorApproval, err error,
) {
	kept, err = keystore.LoadSuccessor(storage)
	if err != nil || kept == nil {
		return nil, nil, nil, err
	}
	if next, approval, err = openSuccessor(kept, m); err != nil {
		return nil, nil, nil, fmt.Errorf("%s in %s: %w: frost-worker accept-manifest --revoke takes it back",
			keystore.SuccessorFile, storage, err)
	}
	return kept, next, approval, nil
}

func openSuccessor(kept *keystore.Successor, m *wire.Manifest) (*wire.Manifest, *wire.SuccessorApproval, error) {
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
	return next, &approval, approval.Verify(m, next.Hash())
}

const maxApproval = 4 << 10 // bytes

// lookAtSuccessor reads the file, and does what follows if it changed.
func (m *member) lookAtSuccessor() {
	kept, next, approval, err := ReadSuccessor(m.cfg.Storage, m.cfg.Manifest)
	if err == nil && next != nil && int(approval.Node) != m.cfg.Index {
		err = fmt.Errorf("%s in %s is the approval of node %d, and this is node %d", keystore.SuccessorFile, m.cfg.Storage,
			approval.Node, m.cfg.Index)
	}
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

// successor is the hash of the manifest that is approved; zero: none.
func (m *member) successor() [32]byte {
	if a := m.accepted.Load(); a != nil {
		return a.next.Hash()
	}
	return [32]byte{}
}

// dealt keeps that the node deals to a manifest. While that can't be kept, or if the
// operator took the approval back, no deal leaves.
func (m *member) dealt(next [32]byte) {
	a := m.accepted.Load()
	err := errors.New("it is not approved")
	if a != nil && a.next.Hash() == next {
		err = keystore.MarkDealt(m.cfg.Storage, a.raw)
	}
	if err == nil {
		m.undealt.Store(nil)
		return
	}
	m.undealt.Store(&next)
	m.log.Error("shares are not dealt to the next manifest", "manifest", shortHash(next), "err", err)
}

// mayDeal reports whether a deal may leave. The machine says only once that it deals.
func (m *member) mayDeal() bool {
	if next := m.undealt.Load(); next != nil {
		m.dealt(*next)
	}
	return m.undealt.Load() == nil
}
