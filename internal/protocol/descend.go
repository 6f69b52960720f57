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
func descend(branches *derive.Cache, j *activeSign, items []frost.Item, children []child) func() Event {
	return func() Event {
		for _, c := range children {
			var err *wire.JobError
			it := &j.job.Items[c.item]
			if items[c.item].Offsets, err = offsetsOf(branches, it, items[c.item].Key, c.transcript); err != nil {
				return descended{j: j, err: wire.Refuse(err.Code, "item %d: %s", c.item, err.Reason)}
			}
		}
		return descended{j: j, items: items}
	}
}

type descended struct {
	j     *activeSign
	items []frost.Item
	err   *wire.JobError
}

func (descended) event() {}
