package protocol

import (
	"maps"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// onAccess takes a new access list.
func (c *Coordinator) onAccess(access *wire.Access) {
	before := c.change(access)
	c.recountFreezes(access, before)
	if !access.SameVoices(before) {
		c.registrar.rounds.Doubt()
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
		if err := j.Signed.Authenticate(c.cfg.Manifest, access); err != nil {
			c.out.fail(j, err)
		} else if err := c.refuseKeygen(j); err != nil {
			c.out.fail(j, err)
		} else {
			c.signing.onAccess(j, c.revokedNodes())
		}
	}
}

// refuseKeygen returns why no keys can be generated now, nil if they can.
func (c *Coordinator) refuseKeygen(j *activeJob) *wire.JobError {
	node := c.access.Load().RevokedNode(c.cfg.Manifest)
	if j.job.Kind != wire.KindKeygen || node < 0 {
		return nil
	}
	return wire.Refuse(wire.CodeKeygenFailed, "%s", errRevokedNode(node).Reason)
}

func (c *Coordinator) revokedNodes() (nodes []int) {
	for i := range c.cfg.Manifest.N {
		if c.access.Load().RevokesNode(c.cfg.Manifest, i) {
			nodes = append(nodes, i)
		}
	}
	return nodes
}
