package protocol

import (
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// child is an item of a sign job whose offsets are still to be computed.
type child struct {
	item       int
	transcript [32]byte
}

// descend returns a computation of the children's offsets, which belong to the items
// of a job that are not in work yet. Many take longer than a step of the machine may.
// A child that is no key is its item's fault alone.
func descend(branches *derive.Cache, to descended, children []child) func() Event {
	return func() Event {
		for _, c := range children {
			i, it := c.item, &to.j.job.Items[c.item]
			to.items[i].Offsets, to.refused[i] = offsetsOf(branches, it, to.items[i].Key, c.transcript)
		}
		return to
	}
}

// descended is a sign job whose keys are complete.
type descended struct {
	j       *activeSign
	items   []frost.Item
	refused []*wire.JobError // by item, as in activeSign
}

func (descended) event() {}
