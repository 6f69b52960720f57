package worker

import (
	"context"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"

	"github.com/frostfleet/frostfleet/internal/register"
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
	told, err := register.Lineage(ctx, m.cfg.Bus, m.cfg.Manifest)
	if err != nil {
		return err
	}
	l := told // with a fork, if KEYS shows one
	if told.Fork() == nil {
		l = join(m.run.Lineage(), told)
	}
	for _, known := range l.Chain() {
		hash := known.Hash()
		m.log.Info("manifest", "hash", hex.EncodeToString(hash[:]), "epoch", known.Epoch, "n", known.N, "t", known.T)
	}
	m.run.GoBy(l)
	close(m.learnt)
	return nil
}

// keepLineage keeps what the member learnt, so that it need not be in KEYS for ever.
func (m *member) keepLineage() {
	l := m.run.Lineage()
	if l == m.keptLineage || len(l.Chain()) == 1 {
		return
	}
	if err := register.KeepLineage(m.cfg.Storage, l); err != nil {
		m.log.Error("the fleet's manifests are not kept; KEYS has them", "err", err)
		return
	}
	m.keptLineage = l
}

// ancestry is what a member goes by at first: what it kept, and the manifests before its own
// that other members know.
func (m *member) ancestry() *wire.Lineage {
	l, err := register.KeptLineage(m.cfg.Storage, m.cfg.Manifest)
	if err != nil {
		m.log.Error("what was kept of the fleet's manifests can't be read; KEYS tells", "err", err)
		l = wire.NewLineage(m.cfg.Manifest)
	}
	m.keptLineage = l
	for _, other := range m.host.all() {
		if other.run != nil && other != m {
			l = join(l, other.run.Lineage())
		}
	}
	return l
}

// join is a lineage with what another one has beside it, as far as that fits.
func join(l, more *wire.Lineage) *wire.Lineage {
	for _, m := range slices.Backward(more.Chain()) {
		l, _ = l.WithParent(m) // l, where it is not the one before
	}
	for _, proof := range more.Proofs() {
		l, _ = l.WithSuccession(proof)
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

// Known are the manifests that the configured one's member goes by, oldest first.
func (w *Worker) Known() []*wire.Manifest { return w.run.Lineage().Chain() }

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
