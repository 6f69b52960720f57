package register

import (
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Moves counts where a fleet's keys are, by the heads of entries alone.
type Moves struct {
	lineage *wire.Lineage
	batches map[string]place
}

// place is the latest generation of a batch.
type place struct {
	generation uint32
	manifest   [32]byte
	keys       int
}

// NewMoves has seen no head yet.
func NewMoves(l *wire.Lineage) *Moves { return &Moves{l, map[string]place{}} }

// Take takes a head of KEYS. Errors are why it does not count.
func (m *Moves) Take(head []byte) error {
	e, err := wire.VerifyEntry(head, m.lineage)
	if err != nil {
		return err
	}
	if was, ok := m.batches[e.ID]; !ok || was.generation < e.Generation {
		m.batches[e.ID] = place{e.Generation, e.Manifest, len(e.Keys)}
	}
	return nil
}

// Moved is how much is where: Done is what nodes of the manifest hold, Left what those of
// manifests before it do.
type Moved struct {
	Done Count `json:"moved"`
	Left Count `json:"left"`
}

// Count is a number of batches, and of keys in them.
type Count struct {
	Batches int `json:"batches"`
	Keys    int `json:"keys"`
}

func (c *Count) add(p place) {
	c.Batches++
	c.Keys += p.keys
}

// To counts for one of the lineage's manifests.
func (m *Moves) To(next *wire.Manifest) (moved Moved) {
	before := map[[32]byte]bool{}
	for _, b := range m.lineage.Before(next) {
		before[b.Hash()] = true
	}
	for _, p := range m.batches {
		if before[p.manifest] {
			moved.Left.add(p)
		} else {
			moved.Done.add(p)
		}
	}
	return moved
}
