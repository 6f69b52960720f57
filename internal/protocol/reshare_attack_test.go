package protocol

import (
	"crypto/ed25519"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A gateway that used up the numbers of attempts leaves nothing behind once it is revoked.
func TestRevokedGatewayUsedUpNumbers(t *testing.T) {
	c := standard(t)
	pub := c.old.gateway.Public().(ed25519.PublicKey)
	both := map[string]ed25519.PublicKey{"gw": pub, "liar": pub}
	for _, a := range c.nodes() {
		a.do(AccessChanged{must(wire.NewAccess(nil, both))})
	}
	lie := c.attempt(maxNumbers, 0, 1)
	subject := wire.ReshareTaskSubject(lie)
	c.old.post(subject, wire.SealGateway(c.old.gateway, "liar", c.old.m, subject, wire.Encode(lie)))
	for _, a := range c.nodes() {
		a.out = nil
		a.do(AccessChanged{must(wire.NewAccess(nil, both, wire.Revoked{Gateways: []string{"liar"}}))})
	}
	c.arrived(t, c.cross(1, 0, 1))
}

// Numbers that begin anew end nothing that this node certified: it certifies no other attempt
// under the number of one.
func TestNumberThatWasCertified(t *testing.T) {
	c := standard(t)
	r := c.open(c.attempt(1, 0, 1))
	c.publish()
	c.tick(triesFor + 1)
	c.open(c.attempt(1, 0, 2))
	for _, a := range c.next.nodes {
		a.refusedLast(t, "was opened before")
	}
	c.publish()
	for _, a := range c.next.nodes {
		equal(t, "certified", len(a.said.transcripts), 1)
	}
	equal(t, "the first one", c.register(r), true)
	c.arrived(t, r)
}

// What a node keeps of having dealt goes with the approval: it is kept anew before the next deal.
func TestDealtIsToldAfterAnotherApproval(t *testing.T) {
	c := standard(t)
	a := c.old.nodes[0]
	c.open(c.attempt(1, 0, 1))
	equal(t, "told", len(a.dealt), 1)
	a.do(SuccessorChanged{})
	a.do(SuccessorChanged{c.next.m.Hash()})
	c.open(c.attempt(2, 0, 1))
	equal(t, "told after another approval", len(a.dealt), 2)
}
