package protocol

import (
	"maps"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// onAccess takes a new access list.
func (c *Coordinator) onAccess(access *wire.Access) {
	before := c.change(access)
	c.views.setAccess(access)
	c.recountFreezes(access, before)
	if !access.SameVoices(before) {
		c.keygen.rounds.doubt()
	}
	if !access.TakesAway(before) {
		return
	}
	c.signing.disbelieve(access, before)
	for _, key := range slices.Sorted(maps.Keys(c.jobs)) {
		j := c.jobs[key]
		if j.over() || j.answering {
			continue
		}
		if err := j.Signed.Authenticate(c.views.pinned, access); err != nil {
			c.out.fail(j, err)
		} else if err := c.keygen.refused(j); err != nil {
			c.out.fail(j, err)
		} else {
			c.signing.onAccess(j)
		}
	}
}
