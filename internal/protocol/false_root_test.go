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
	var deals [][]byte
	keys := must(sumUp(b.m, b.head, b.nodes[0].dealer.board.Get(b.id).Deals())).PublicKeys
	deals = append(deals, b.nodes[0].dealer.board.Get(b.id).Deals()...)
	keys[0], keys[1] = keys[1], keys[0]
	head := wire.NewEntryHead(b.m, b.head, keys, nil, wire.DealDigests(deals), false)
	for i, a := range b.nodes {
		w := a.want(wire.SlotCert)
		var c wire.Certificate
		b.check(wire.Decode(w.body, wire.MaxAttestation, &c))
		c.Root = wire.KeyRoot(head.Keys)
		c.Attestation = b.attestOne(i, c.Leaf(b.m))
		head.Certificates = append(head.Certificates, wire.Encode(&c))
		b.say(w.slot, wire.Encode(&c))
	}
	desk := b.newDesk()
	b.show(desk)
	desk.timeout(timerRegister)
	equal(t, "entries to write", len(desk.writes), 0)
	b.post(wire.EntryHeadSubject(b.id, 0), wire.Encode(head)) // by a gateway that does not look
	for i, deal := range deals {
		b.post(wire.EntryDealSubject(b.id, 0, i), deal)
	}
	b.show(desk)
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
