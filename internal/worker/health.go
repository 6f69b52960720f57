package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/crosscheck"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a running node reports of itself, for readiness and metrics.

// Ready returns what keeps the node from working, under any of its manifests; nil if nothing
// does.
func (w *Worker) Ready() error {
	if err := w.member.Ready(); err != nil {
		return err
	}
	return w.guestsReady()
}

// Lineage returns what is wrong with the fleet's manifests, or with what the operator
// approved to follow; nil if nothing is.
func (w *Worker) Lineage() error {
	if err := w.Fork(); err != nil {
		return err
	}
	for _, m := range w.all() {
		if err := m.unapproved.Load(); err != nil {
			return *err
		}
	}
	return nil
}

// CrossCheck is what another implementation says of what this node made for ed25519.
func (w *Worker) CrossCheck() *crosscheck.Checker { return w.oracle }

// Ready returns what keeps the member from working; nil if nothing does.
func (m *member) Ready() error {
	if m.revoked() {
		return errRevoked
	}
	if err := m.twin.Load(); err != nil {
		return err
	}
	if err := m.run.Ready(); err != nil {
		return err
	}
	if !m.sessions.valid(clock.Now()) {
		return errNoKey
	}
	if m.sessions.silent() {
		return errors.Join(errUnleased, m.beat.Waiting())
	}
	return nil
}

var errRevoked = errors.New("this node is revoked in the access list, and silent")

// revoked reports whether this very node is.
func (m *member) revoked() bool { return m.host.access.Load().RevokesNode(m.cfg.Manifest, m.cfg.Index) }

// SetAccess replaces the access list. What it takes away ends at once.
func (w *Worker) SetAccess(a *wire.Access) {
	before := w.access.Swap(a)
	if a.TakesAway(before) {
		w.granted.Swap(newGrant()).end() // after the list: see allowed
	}
	w.audit.AppendAccess(accessChanges(a, before))
	for _, m := range w.all() {
		m.accessChanged(a)
	}
}

// accessChanged takes the process's new list. A member that is revoked itself, or whose
// session key is, forgets the key and says nothing under it.
func (m *member) accessChanged(a *wire.Access) {
	m.run.Step(protocol.AccessChanged{Access: a})
	if m.revoked() || m.sessions.uses(a.RevokesKey) {
		m.sessions.drop()
		m.log.Error("the access list revokes this node or its session key", "node", m.revoked())
	}
}

// Stats counts what the node holds: a batch once for each manifest.
func (w *Worker) Stats() (batches, keys, dealing, nonces int) {
	for _, m := range w.all() {
		b, k := m.store.Stats()
		batches, keys = batches+b, keys+k
		m.run.With(func(n *node) {
			d, held := n.Sessions()
			dealing, nonces = dealing+d, nonces+held
		})
	}
	return batches, keys, dealing, nonces
}

// NonceCounts counts nonce pairs since the start: drawn, and of them used for a
// share and dropped unused.
func (w *Worker) NonceCounts() (drawn, used, dropped uint64) {
	w.hosting.mu.Lock()
	drawn, used, dropped = w.hosting.nonces[0], w.hosting.nonces[1], w.hosting.nonces[2]
	w.hosting.mu.Unlock()
	for _, m := range w.all() {
		d, u, unused := m.nonceCounts()
		drawn, used, dropped = drawn+d, used+u, dropped+unused
	}
	return drawn, used, dropped
}

func (m *member) nonceCounts() (drawn, used, dropped uint64) {
	m.run.With(func(n *node) { drawn, used, dropped = n.NonceCounts() })
	return drawn, used, dropped
}

// probeStore repeats a write that failed, as the next batch may be long in coming.
func (m *member) probeStore() {
	if m.unwritten.Load() != nil {
		_ = m.written(m.store.Probe())
	}
}

// SpeaksUntil is until when the node can publish with its session key, if that is
// not renewed; zero while it has none.
func (m *member) SpeaksUntil() time.Time { return m.sessions.until() }

// Keystore returns why the node can't keep what it makes; nil if it can. Without
// it the node still signs, and certifies no new keys.
func (w *Worker) Keystore() error {
	if err := w.unsaved.Load(); err != nil {
		return fmt.Errorf("the last state of the policy's ledger is not stored: %w", *err)
	}
	for _, m := range w.all() {
		if err := m.stores(); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) stores() error {
	if err := m.unwritten.Load(); err != nil {
		return fmt.Errorf("the last write failed: %w", *err)
	}
	if err := m.unkeptFreezes(); err != nil {
		return err
	}
	return m.store.Present()
}

// written notes how the write of a batch went. One that the keystore turned
// away for what was in it is a write that it could have made. Where the node got
// to in the log is no such write: it fits a full disk.
func (m *member) written(err error) error {
	if err == nil || errors.Is(err, keystore.ErrOtherTranscript) {
		m.unwritten.Store(nil)
	} else {
		m.unwritten.Store(&err)
	}
	return err
}
