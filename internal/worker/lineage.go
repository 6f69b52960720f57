package worker

import (
	"context"
	"encoding/hex"
	"errors"
	"path/filepath"

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
	l, err := readLineage(ctx, m.cfg.Bus, m.run.Lineage())
	if err != nil {
		return err
	}
	for _, known := range l.Chain() {
		hash := known.Hash()
		m.log.Info("manifest", "hash", hex.EncodeToString(hash[:]), "epoch", known.Epoch, "n", known.N, "t", known.T)
	}
	m.run.GoBy(l)
	close(m.learnt)
	return nil
}

// ancestry is what a manifest's member goes by at first: the manifest, and those before it
// that other members know.
func (w *Worker) ancestry(manifest *wire.Manifest) *wire.Lineage {
	l := wire.NewLineage(manifest)
	for want, more := l.Wanted(); more; want, more = l.Wanted() {
		next := l
		for _, m := range w.all() {
			if m.run == nil { // it is the one that is being made
				continue
			}
			if before := m.run.Lineage().Manifest(want); before != nil {
				next, _ = l.WithParent(before) // it is l where that does not fit
			}
		}
		if next == l {
			break
		}
		l = next
	}
	return l
}

// Fork is why the fleet stands still, as far as this process knows; nil if it does not.
func (w *Worker) Fork() error {
	var errs []error
	for _, m := range w.all() {
		if fork := m.run.Lineage().Fork(); fork != nil {
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
	for _, next := range m.run.Lineage().Chain() {
		if next.Epoch > m.cfg.Manifest.Epoch {
			all = append(all, next)
		}
	}
	return all
}
