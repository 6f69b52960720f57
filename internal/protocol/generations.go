package protocol

import (
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Which generations of a batch a node has, and which of its batches have moved.

// know notes a generation of a batch that is in the keystore.
func (n *dealer) know(ref wire.BatchRef, known KnownBatch) {
	if _, old := n.known[ref]; !old && ref.Generation > 0 {
		n.later[ref.ID] = append(n.later[ref.ID], ref.Generation)
	}
	n.known[ref] = known
}

// take notes a generation of a batch that is complete.
func (n *dealer) take(ref wire.BatchRef, known KnownBatch) {
	known.Complete = true
	n.know(ref, known)
	n.held.Add(wire.NewHolding(ref.ID, known.Transcript))
}

// generations are those of a batch in the keystore.
func (n *dealer) generations(id string) []uint32 {
	all := n.later[id]
	if _, first := n.known[wire.BatchRef{ID: id}]; first {
		all = append(slices.Clone(all), 0)
	}
	return all
}

// completed is the highest generation of a batch that the node has complete.
func (n *dealer) completed(id string) (generation uint32, ok bool) {
	for _, g := range n.generations(id) {
		if n.known[wire.BatchRef{ID: id, Generation: g}].Complete {
			generation, ok = max(generation, g), true
		}
	}
	return generation, ok
}

// sameKeys reports whether an entry is of the key generation that the node's own records of
// the batch are of. Its transcript is enough: the keys follow from it, and who certified
// other ones under it certified no share of them that fits.
func (n *dealer) sameKeys(e *wire.Entry) bool {
	return !slices.ContainsFunc(n.generations(e.ID), func(g uint32) bool {
		return n.known[wire.BatchRef{ID: e.ID, Generation: g}].MadeBy != e.MadeBy
	})
}

// markMoved has the keystore remember that a batch has moved, if it has and is there.
func (n *dealer) markMoved(id string) []Effect {
	if len(n.generations(id)) == 0 || !n.moved[id] {
		return nil
	}
	return []Effect{MarkMoved{ID: id}}
}

func errMoved(place string, at uint32, id wire.KeyID) *wire.JobError {
	return wire.Refuse(wire.CodeMoved, "%s %d: key %s has moved to the nodes of a later manifest", place, at, id)
}

// movedKeys tells which of keys are in batches that have moved.
func (n *nodeCore) movedKeys(keys []wire.KeyID) []bool {
	moved := make([]bool, len(keys))
	for i, id := range keys {
		moved[i] = n.moved[id.Batch]
	}
	return moved
}
