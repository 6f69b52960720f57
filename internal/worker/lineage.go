package worker

import (
	"context"
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A member goes by its own manifest, by those before it, and by those after it that enough
// nodes approved. KEYS has both: the manifests, and the successions that prove them.

// StorageOf is where a node keeps what belongs to a manifest: in its own directory what is
// the founding manifest's, and in a folder there what is a later one's.
func StorageOf(storage string, m *wire.Manifest) string {
	if !m.Successor() {
		return storage
	}
	hash := m.Hash()
	return filepath.Join(storage, hex.EncodeToString(hash[:8]))
}

func shortHash(hash [32]byte) string { return hex.EncodeToString(hash[:8]) }

// learn reads from KEYS which manifests there are, before KEYS itself is followed: the
// cursor may be behind them.
func (m *member) learn(ctx context.Context) error {
	l, err := readLineage(ctx, m.cfg.Bus, m.lineage.Load())
	if err != nil {
		return err
	}
	for _, known := range l.Chain() {
		hash := known.Hash()
		m.log.Info("manifest", "hash", hex.EncodeToString(hash[:]), "epoch", known.Epoch, "n", known.N, "t", known.T,
			"configured", known == m.cfg.Manifest)
	}
	m.goBy(l)
	if err := m.cfg.Bus.Grow(m.rounds()); err != nil {
		return err
	}
	close(m.learnt)
	return nil
}

// ancestry is what a manifest's member goes by at first: those before it that other members
// know.
func (w *Worker) ancestry(manifest *wire.Manifest) *wire.Lineage {
	l := wire.NewLineage(manifest)
	for want, more := l.Wanted(); more; want, more = l.Wanted() {
		next, err := l, error(nil)
		for _, m := range w.all() {
			if before := m.lineage.Load().Manifest(want); before != nil {
				next, err = l.WithParent(before)
			}
		}
		if err != nil || next == l {
			break
		}
		l = next
	}
	return l
}

// readKeys takes a message of KEYS. One that adds a manifest does so before any later one
// is read.
func (m *member) readKeys(msg bus.Message) {
	if strings.HasPrefix(msg.Subject, "succession.") || strings.HasPrefix(msg.Subject, "manifest.") {
		switch l, err := growLineage(m.lineage.Load(), msg.Subject, msg.Data); {
		case err != nil:
			m.log.Debug("message about manifests dropped", "subject", msg.Subject, "err", err)
		default:
			m.goBy(l)
		}
	}
	m.run.Read(bus.Keys, msg)
}

// goBy has the member go by more manifests than before.
func (m *member) goBy(l *wire.Lineage) {
	before := m.lineage.Swap(l)
	if before == l {
		return
	}
	for _, next := range l.Chain() {
		if hash := next.Hash(); before.Manifest(hash) == nil && next.Epoch > m.cfg.Manifest.Epoch {
			m.log.Info("enough nodes approved the next manifest", "hash", hex.EncodeToString(hash[:]), "epoch", next.Epoch,
				"n", next.N, "t", next.T)
		}
	}
	if fork := l.Fork(); fork != nil && before.Fork() == nil {
		m.log.Error("the fleet's manifests fork; nothing is dealt and nothing signed until the operators have settled it: "+
			"docs/operations.md", "err", fork)
	}
	m.run.Step(protocol.LineageChanged{Lineage: l})
}

// Fork is why the fleet stands still, as far as this process knows; nil if it does not.
func (w *Worker) Fork() error {
	var errs []error
	for _, m := range w.all() {
		if fork := m.lineage.Load().Fork(); fork != nil {
			errs = append(errs, fork)
		}
	}
	return errors.Join(errs...)
}

// Manifests is how many manifests this process has members of.
func (w *Worker) Manifests() int { return len(w.all()) }

// after are the manifests that follow the member's own, as far as its operator approved one
// or enough nodes did.
func (m *member) after() (all []*wire.Manifest) {
	if a := m.accepted.Load(); a != nil {
		all = append(all, a.next)
	}
	for _, next := range m.lineage.Load().Chain() {
		if next.Epoch > m.cfg.Manifest.Epoch {
			all = append(all, next)
		}
	}
	return all
}

// rounds is how many nodes' rounds the member reads: of a resharing, those of the nodes
// that deal and of those that get shares.
func (m *member) rounds() int {
	n := m.cfg.Manifest.N
	for _, before := range m.lineage.Load().Before(m.cfg.Manifest) {
		n = max(n, before.N)
	}
	return n
}

// view is the bus as a member reads it: with the rounds of its manifests' nodes.
type view struct {
	*bus.Bus
	rounds func() int
}

// Nodes implements machine.Log.
func (v view) Nodes() int { return v.rounds() }
