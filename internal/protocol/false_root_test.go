package protocol

import (
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// All n nodes certify keys that don't follow from the deals, over the right
// transcript. Whoever computes the keys himself takes none.
func TestCertifiedRootIsHeldAgainstTheDeals(t *testing.T) {
	b := dealt(t, "bitcoin")
	b.releaseAll(wire.SlotDeal)
	for i, a := range b.nodes {
		w := a.want(wire.SlotCert)
		var c wire.Certificate
		b.check(wire.Decode(w.body, wire.MaxAttestation, &c))
		c.Root[0] ^= 1
		c.Attestation = b.attestOne(i, c.Leaf(b.m))
		b.say(w.slot, wire.Encode(&c))
	}
	desk := b.newDesk()
	for _, m := range b.keys {
		desk.do(KeysMessage{m})
	}
	equal(t, "keys at the gateway", desk.Keys(), 0)
	equal(t, "code at the gateway", desk.reports[0].Code, wire.CodeInternal)
	fresh := b.newActor(0)
	fresh.replay()
	equal(t, "code at a node that rebuilds", fresh.expect(ReportAborted).Code, wire.CodeInternal)
	equal(t, "stored", len(fresh.store), 0)
}

// An abort that comes after a node certified changes nothing for it: the others may
// have its certificate, and finish the batch.
func TestAbortAfterCertifying(t *testing.T) {
	b := dealt(t, "solana")
	b.releaseAll(wire.SlotDeal)
	equal(t, "phase", b.phase(0), dkgCertifying)
	abort := wire.Encode(&wire.Complaint{Session: b.head.Context(b.m), Code: wire.CodeInternal, Reason: "mine broke"})
	b.say(wire.Slot{Kind: wire.SlotAbort, ID: b.id, Node: 1}, abort)
	equal(t, "phase after an abort", b.phase(0), dkgCertifying)
}
