package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a running node reports of itself, for readiness and metrics.

// Ready returns what keeps the node from working; nil if nothing does.
func (w *Worker) Ready() error {
	if w.revoked() {
		return errRevoked
	}
	if err := w.twin.Load(); err != nil {
		return err
	}
	if err := w.run.Ready(); err != nil {
		return err
	}
	if !w.sessions.valid(clock.Now()) {
		return errNoKey
	}
	if w.sessions.silent() {
		return errors.Join(errUnleased, w.beat.Waiting())
	}
	return nil
}

var errRevoked = errors.New("this node is revoked in the access list, and silent")

// revoked reports whether this very node is.
func (w *Worker) revoked() bool { return w.access.Load().RevokesNode(w.cfg.Manifest, w.cfg.Index) }

// SetAccess replaces the access list. What it takes away ends at once. A node that is
// revoked itself, or whose session key is, forgets the key and says nothing under it.
func (w *Worker) SetAccess(a *wire.Access) {
	before := w.access.Swap(a)
	if a.TakesAway(before) {
		w.granted.Swap(newGrant()).end() // after the list: see allowed
	}
	w.audit.AppendAccess(accessChanges(a, before))
	w.run.Step(protocol.AccessChanged{Access: a})
	if w.revoked() || w.sessions.uses(a.RevokesKey) {
		w.sessions.drop()
		w.log.Error("the access list revokes this node or its session key", "node", w.revoked())
	}
}

// Stats counts what the node holds.
func (w *Worker) Stats() (batches, keys, dealing, nonces int) {
	batches, keys = w.store.Stats()
	w.run.With(func(n *node) { dealing, nonces = n.Sessions() })
	return batches, keys, dealing, nonces
}

// NonceCounts counts nonce pairs since the start: drawn, and of them used for a
// share and dropped unused.
func (w *Worker) NonceCounts() (drawn, used, dropped uint64) {
	w.run.With(func(n *node) { drawn, used, dropped = n.NonceCounts() })
	return drawn, used, dropped
}

// probeStore repeats a write that failed, as the next batch may be long in coming.
func (w *Worker) probeStore() {
	if w.unwritten.Load() != nil {
		_ = w.written(w.store.Probe())
	}
}

// SpeaksUntil is until when the node can publish with its session key, if that is
// not renewed; zero while it has none.
func (w *Worker) SpeaksUntil() time.Time { return w.sessions.until() }

// Keystore returns why the node can't keep what it makes; nil if it can. Without
// it the node still signs, and certifies no new keys.
func (w *Worker) Keystore() error {
	if err := w.unwritten.Load(); err != nil {
		return fmt.Errorf("the last write failed: %w", *err)
	}
	if err := w.unsaved.Load(); err != nil {
		return fmt.Errorf("the last state of the policy's ledger is not stored: %w", *err)
	}
	return w.store.Present()
}

// written notes how the write of a batch went. One that the keystore turned
// away for what was in it is a write that it could have made. Where the node got
// to in the log is no such write: it fits a full disk.
func (w *Worker) written(err error) error {
	if err == nil || errors.Is(err, keystore.ErrOtherTranscript) {
		w.unwritten.Store(nil)
	} else {
		w.unwritten.Store(&err)
	}
	return err
}
