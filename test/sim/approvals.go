package sim

import (
	"encoding/json"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What operators approve, also two manifests if they are forced to.

// approval is what an operator accepted.
type approval struct {
	next   [32]byte
	signed *wire.SuccessorApproval
}

// approve is what a node's operator does on its machine.
func (c *change) approve(m *machine, next *wire.Manifest, forced bool) {
	if m.disk.approved.next != [32]byte{} {
		return
	}
	c.w.tracef("the operator of %s%d approves %x, forced %t", m.letter(), m.index, next.Hash(), forced)
	c.decide(m, approval{next.Hash(), c.sign(m, next, forced)})
	c.inviteBeside(m, next.Hash())
}

// decide is what an operator's node goes by.
func (c *change) decide(m *machine, a approval) {
	m.disk.approved = a
	if m.life != nil {
		m.life.step(protocol.SuccessorChanged{Next: a.next})
	}
}

// takeBack takes an approval back, if nothing was dealt by it, and gives it again later.
func (c *change) takeBack(m *machine) {
	a := m.disk.approved
	if a.next == [32]byte{} || m.disk.dealt != [32]byte{} {
		return
	}
	c.w.happened(ApprovalTaken)
	c.decide(m, approval{})
	c.later(c.between(time.Second, 5*time.Second), func() {
		if m.disk.approved.next == [32]byte{} {
			c.decide(m, a)
		}
	})
}

// sign has a node's device approve a manifest.
func (c *change) sign(m *machine, next *wire.Manifest, forced bool) *wire.SuccessorApproval {
	a := &wire.SuccessorApproval{Node: uint32(m.index), Next: next.Hash(), Forced: forced}
	a.Attestation = m.attest(a.Leaf(m.manifest))
	if c.signed[a.Next] == nil {
		c.signed[a.Next] = map[int]bool{}
	}
	c.signed[a.Next][m.index] = c.signed[a.Next][m.index] || forced
	return a
}

// counts reports whether so many devices approved a manifest as it takes, by a count of
// what they signed.
func (c *change) counts(next [32]byte) bool {
	n, t, forced := c.w.manifest.N, c.w.manifest.T, 0
	for _, f := range c.signed[next] {
		if f {
			forced++
		}
	}
	return 2*len(c.signed[next]) > n+t-1 || forced >= t
}

func (c *change) inviteBeside(m *machine, hash [32]byte) {
	for _, other := range m.beside {
		if other.manifest.Hash() == hash && !other.invited {
			c.later(c.between(0, time.Second), func() { c.invite(other) })
		}
	}
}

// fork has operators forced to approve two manifests.
func (c *change) fork() {
	c.w.happened(ForcedFork)
	c.forked = true
	c.store(c.other)
	for _, next := range []*wire.Manifest{c.next, c.other} {
		s := wire.Succession{Version: wire.SuccessionVersion, Manifest: must(json.Marshal(next))}
		for _, m := range c.w.crew(c.w.manifest)[:c.w.manifest.T] {
			s.Approvals = append(s.Approvals, *c.sign(m, next, true))
		}
		c.w.bus.keys.put(wire.SuccessionSubject(next.Hash()), wire.Encode(&s), -1)
	}
}
