package protocol

import (
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// descend returns a computation of the offsets of a job's children. Many take longer than
// a step of the machine may. A child that is no key is its item's fault alone.
func descend(branches *derive.Cache, j *activeSign) func() Event {
	children := j.children
	return func() Event {
		offsets, refused := offsetsOf(branches, children)
		return descended{j, offsets, refused}
	}
}

// descended is a sign job whose children's offsets are there, in the order of its children.
type descended struct {
	j       *activeSign
	offsets [][][frost.ScalarSize]byte
	refused []*wire.JobError
}

func (descended) event() {}

// take has the job's items keep their offsets.
func (d descended) take() {
	for n, c := range d.j.children {
		d.j.items[c.item].Offsets, d.j.refused[c.item] = d.offsets[n], d.refused[n]
	}
	d.j.children = nil
}
