package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A clock that jumps ahead ends batches that all others go on with. Once it is right again
// the node gives these up aloud, and the gateway begins again.

// maxPostponed is how much a node keeps of either kind: tasks that its clock speaks against,
// each of at most inlineTask bytes, and batches that it forgot by its clock, without their
// deals. A gateway has 4 batches in work.
const maxPostponed = 64

// keep appends, and drops the oldest where there are too many.
func keep[T any](all []T, one T) []T {
	if len(all) == maxPostponed {
		all = all[1:]
	}
	return append(all, one)
}

// over reports whether a batch's job has expired by a clock.
func (b *dkg) over(now time.Time) bool {
	return !b.expires.IsZero() && now.After(b.expires.Add(wire.ClockSkew))
}

// lapse forgets a batch whose job is over by this node's clock, but for what it takes to
// give it up.
func (b *dkg) lapse() {
	b.forget()
	b.said = nil
	b.node.lapsed = keep(b.node.lapsed, b)
}

// resume gives up what lapsed and is not over.
func (n *dealer) resume() (effects []Effect) {
	lapsed := n.lapsed
	n.lapsed = nil
	for _, b := range lapsed {
		_, known := n.known[b.ref()]
		switch {
		case b.over(n.now):
			n.lapsed = append(n.lapsed, b)
		case !known && n.batches[b.id] == nil:
			n.batches[b.id] = b
			effects = append(effects, b.giveUp(fault{wire.CodeRestarted,
				"this node's clock said that the job was over, and was set back", -1})...)
		}
	}
	return effects
}
