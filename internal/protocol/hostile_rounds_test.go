package protocol

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A node may say anything when it gives up. What it says of another node's certificate is
// no finding of the gateway's, and the answer says whose word it is.
func TestNodeReportsAFalseCertificate(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "solana", 2)
	f.desk.arrive(job, nil)
	f.drainTasks()
	victim := uint8(1)
	for attempt := range maxFaults {
		h := f.header(job, 0, attempt)
		f.say(wire.Slot{Kind: wire.SlotAbort, ID: wire.ShortID(h.Context(f.m)), Node: 2}, wire.Encode(&wire.Complaint{
			Session: h.Context(f.m), Code: wire.CodeFalseCertificate, Culprit: &victim, Reason: "node 1 lies",
		}))
		if attempt+1 < maxFaults {
			f.desk.timeout(timerRetry)
		}
	}
	for _, r := range f.desk.reports {
		if r.What == ReportAborted {
			t.Errorf("the gateway makes it its own: %v", r)
		}
		equal(t, "culprit", r.Culprit, -1)
	}
	if r := f.desk.result(); !strings.Contains(r.Error, "node 2 gave up: false_certificate: node 1 lies") {
		t.Errorf("the client reads %q", r.Error)
	}
}

// secondDeal is a log in which node 2 deals, floods every small board, and deals once
// more. All other deals stand there, but that of node 0, which has not begun.
func secondDeal(t *testing.T) *batchTest {
	b := dealt(t, "solana")
	twin := b.newActor(2)
	twin.do(TaskMessage{b.work[0], t0})
	other := twin.want(wire.SlotDeal)
	b.release(2, wire.SlotDeal)
	for i := range 3 {
		b.say(wire.Slot{Kind: wire.SlotDeal, ID: someSession(i), Node: 2}, make([]byte, smallBoard/b.m.N-1000))
	}
	b.say(other.slot, other.body)
	b.release(1, wire.SlotDeal)
	return b
}

// A node that begins late and had to drop a deal waits until it knows which one is the
// first: it would certify the second, and be blamed for it.
func TestSecondDealBeforeALateNode(t *testing.T) {
	b := secondDeal(t)
	late := b.newActor(0)
	late.dealer.board = board.New(b.m, late.opener, smallBoard)
	late.do(Tick{t0})
	for _, m := range b.dkg {
		late.do(RoundsMessage{m})
	}
	late.do(TaskMessage{b.work[0], t0})
	b.nodes[0].out = nil
	late.fill(late.want(wire.SlotDeal))
	late.do(RoundsMessage{b.dkg[len(b.dkg)-1]})
	if _, count := late.reported(ReportCertified); count > 0 {
		t.Fatal("certified before the rounds were read once more")
	}
	equal(t, "asked", len(late.fetch), 1)
	late.do(Tick{t0.Add(lookAgainEvery)}) // a replica may lag: it asks again
	equal(t, "asked", len(late.fetch), 2)
	for _, m := range b.ofBatch() {
		late.do(RoundsAgain{m})
	}
	late.want(wire.SlotCert)
	b.release(1, wire.SlotCert)
	equal(t, "transcript", late.store[b.id].Transcript, b.nodes[1].store[b.id].Transcript)
}

// The same at a gateway, where nothing else of the batch was there when the deal had to
// go: it reads the batch again, and writes its entry.
func TestSecondDealHidesNoKeys(t *testing.T) {
	b := secondDeal(t)
	b.release(0, wire.SlotDeal)
	b.releaseAll(wire.SlotCert)
	desk := b.newDesk()
	desk.registrar().rounds = board.New(b.m, desk.opener, smallBoard)
	for _, m := range b.dkg {
		desk.do(RoundsMessage{m})
	}
	equal(t, "asked", len(desk.fetch), 1)
	for _, m := range b.ofBatch() {
		desk.do(RoundsAgain{m})
	}
	desk.timeout(timerRegister)
	equal(t, "entries to write", len(desk.writes), 1)
}

// Two session keys spoke for node 2, and one of them is revoked: whether a program works
// on the batch, or hears of it before its task, it reads the other one's deal.
func TestDealUnderARevokedSessionKey(t *testing.T) {
	b := dealt(t, "solana")
	w := b.nodes[2].want(wire.SlotDeal)
	stolen := b.session(2)
	_, deals := b.rival()
	b.change(wire.Revoked{SessionKeys: [][]byte{stolen.Public()}})
	for i, a := range b.nodes { // who may have read it under the old list begins again
		equal(t, "code", b.aborted(i).Code, wire.CodeRestarted)
		a.out = nil
	}
	early := b.newActor(0)
	b.desk = nil
	b.post(w.slot.String(), stolen.Seal(b.m, w.slot.String(), deals[2]))
	b.say(w.slot, w.body)
	for _, m := range b.dkg {
		early.do(RoundsMessage{m})
	}
	log := early.dealer.board.Get(b.id)
	equal(t, "deal", wire.DealDigest(log.Deals()[2]), wire.DealDigest(w.body))
}

// readAgain answers what machines asked for, until nobody asks for more.
func (f *fleet) readAgain() {
	for asked := true; asked; {
		asked = false
		again := func(to interface{ do(Event) }, fetch *[]string) {
			ids := *fetch
			*fetch = nil
			for _, m := range f.dkg {
				if slot, err := wire.ParseSlot(m.Subject); err == nil && slices.Contains(ids, slot.ID) {
					asked = true
					to.do(RoundsAgain{m})
				}
			}
		}
		for _, a := range f.nodes {
			again(a, &a.fetch)
		}
		again(f.desk, &f.desk.fetch)
		f.drain()
	}
}

// The rounds are lost while keys are made: who has not certified gives up, so that the
// gateway begins again, and sequences of the new stream replace nothing.
func TestRoundsLost(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "solana", 2)
	f.desk.arrive(job, nil)
	f.drainTasks()
	f.let(0, wire.SlotDeal)
	f.dkg = nil
	for _, a := range f.nodes {
		a.do(RoundsLost{})
	}
	f.desk.do(RoundsLost{})
	f.drain()
	f.desk.timeout(timerRetry)
	f.drain()
	r := f.desk.result()
	f.check(wire.VerifyKeys(f.m, job, r))
	equal(t, "attempts", r.Attempts, 2)
	for _, a := range f.nodes {
		a.do(Tick{f.now.Add(time.Second)})
		if b, _ := a.Sessions(); b != 0 {
			t.Errorf("node %d keeps %d batches", a.cfg.Index, b)
		}
	}
}
