package protocol

import (
	"slices"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A batch has moved once the register has the whole entry of a later generation that the
// nodes of a later manifest certified: they all hold their shares. From then on this node
// signs for it no more, so that what its keys sign is seen in one place. Sessions that have
// drawn nonces go on: they are over in seconds.

// isLater reports whether an entry is of a generation that takes the place of this node's:
// of a later manifest than its own, and higher than what it has. Of a batch that is not in
// the keystore, since that was lost and is being rebuilt, the entry itself says so: its
// shares came from this manifest's nodes.
func (n *Node) isLater(e *board.Entry) bool {
	lineage, own := n.cfg.Lineage, n.cfg.Manifest
	m := lineage.Manifest(e.Manifest)
	if m == nil || !slices.Contains(lineage.Before(m), own) {
		return false
	}
	highest, known := n.dealer.highest(e.ID)
	if !known {
		return e.Source == own.Hash()
	}
	return e.Generation > highest
}

// highest is the highest generation of a batch that the node certified or has.
func (n *dealer) highest(id string) (generation uint32, known bool) {
	for _, g := range n.generations(id) {
		generation, known = max(generation, g), true
	}
	return generation, known
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

// move notes that a batch has a later generation elsewhere.
func (n *Node) move(e *board.Entry) []Effect {
	n.moved[e.ID] = true
	report := Report{
		What: ReportMoved, ID: e.ID, Suite: frost.Suite(e.Header.Suite), Count: int(e.Header.K), Culprit: -1,
	}
	return append([]Effect{report}, n.dealer.markMoved(e.ID)...)
}

// markMoved has the keystore remember that a batch has moved, if it has and is there.
func (n *dealer) markMoved(id string) []Effect {
	if _, known := n.highest(id); !known || !n.moved[id] {
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
