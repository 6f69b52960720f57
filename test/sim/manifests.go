package sim

import (
	"cmp"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// The manifests of a world, and their nodes.

// manifestSet are all manifests of a world, whether anybody is to go by them or not.
type manifestSet map[[32]byte]*wire.Manifest

func (s manifestSet) Manifest(hash [32]byte) *wire.Manifest { return s[hash] }

func (w *world) include(m *wire.Manifest) {
	if w.all == nil {
		w.all = manifestSet{}
	}
	w.all[m.Hash()] = m
	w.manifests = append(w.manifests, m)
}

func (w *world) widest() *wire.Manifest {
	return slices.MaxFunc(w.manifests, func(a, b *wire.Manifest) int { return cmp.Compare(a.N, b.N) })
}

// crew are the nodes of a manifest, by index.
func (w *world) crew(m *wire.Manifest) (crew []*machine) {
	for _, one := range w.machines {
		if one.manifest.Hash() == m.Hash() {
			crew = append(crew, one)
		}
	}
	return crew
}

// letter tells the nodes of the founding manifest from others, in a trace.
func (m *machine) letter() string {
	if m.manifest == m.w.manifest {
		return "w"
	}
	return "x"
}
