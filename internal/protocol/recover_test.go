package protocol

import (
	"bytes"
	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
	"testing"
	"time"
)

// finished is a batch that all nodes completed.
func finished(t testing.TB, chain string) *batchTest {
	b := dealt(t, chain)
	b.releaseAll(wire.SlotDeal)
	b.releaseAll(wire.SlotCert)
	return b
}

// A node that lost its disk has its very shares back from the log and its
// host key.
func TestRebuild(t *testing.T) {
	for _, chain := range []string{"bitcoin", "solana"} {
		b := finished(t, chain)
		for i, old := range b.nodes {
			fresh := b.newActor(i)
			fresh.replay()
			fresh.expect(ReportRecovered)
			was, is := old.store[b.id], fresh.store[b.id]
			if !fresh.done[b.id] || !bytes.Equal(was.Batch.Shares.Expose(), is.Batch.Shares.Expose()) ||
				was.Transcript != is.Transcript {
				t.Errorf("%s: node %d has other shares after it was rebuilt", chain, i)
			}
			if len(fresh.out) > 0 {
				t.Errorf("%s: node %d says something about a batch that is done: %v", chain, i, fresh.out)
			}
		}
	}
}

func TestRebuildWithTheWrongHostKey(t *testing.T) {
	b := finished(t, "solana")
	b.host[0] = b.host[1]
	fresh := b.newActor(0)
	fresh.replay()
	equal(t, "code", fresh.expect(ReportAborted).Code, wire.CodeInternal)
	equal(t, "complete", fresh.done[b.id], false)
}

// A deal that no head names is not kept, whoever wrote it; the right one still counts
// behind it. A head that was changed proves nothing.
func TestRebuildFromADamagedRegister(t *testing.T) {
	b := finished(t, "solana")
	fresh := b.newActor(0)
	for _, m := range b.keys {
		m.Data = bytes.Clone(m.Data)
		m.Data[len(m.Data)-1] ^= 1
		fresh.do(ReadKeys(b.m, m))
	}
	fresh.expect(ReportBadEntry)
	equal(t, "kept", fresh.dealer.register.Len(), 0)
	b.show(fresh)
	equal(t, "complete", fresh.done[b.id], true)

	fresh = b.newActor(0)
	fresh.do(ReadKeys(b.m, b.keys[0]))
	for _, m := range b.keys[1:] {
		m.Data = append(bytes.Clone(m.Data), 0)
		fresh.do(ReadKeys(b.m, m))
	}
	equal(t, "bytes kept", fresh.dealer.register.Bytes(), 0)
	equal(t, "complete", fresh.done[b.id], false)
	b.show(fresh)
	equal(t, "complete", fresh.done[b.id], true)
}

// Whatever order an entry's messages come in, what a machine lacks of it is asked for
// after a while, and then less and less often.
func TestEntryIsReadAgain(t *testing.T) {
	b := finished(t, "solana")
	for first := range b.keys {
		fresh, desk := b.newActor(0), b.newDesk()
		fresh.do(Tick{t0})
		desk.do(Tick{t0})
		for i := range b.keys {
			m := b.keys[(first+i)%len(b.keys)]
			fresh.do(ReadKeys(b.m, m))
			desk.do(ReadKeys(b.m, m))
		}
		asked := 1
		if first == 0 { // in order
			asked = 0
		}
		for _, seconds := range []time.Duration{1, 4, 5} {
			fresh.do(Tick{t0.Add(seconds * time.Second)})
			desk.do(Tick{t0.Add(seconds * time.Second)})
		}
		equal(t, "asked by a node", len(fresh.fetch), asked)
		equal(t, "asked by a gateway", len(desk.fetch), asked)
		for _, m := range b.keys {
			fresh.do(ReadKeysAgain(b.m, m))
			desk.do(ReadKeysAgain(b.m, m))
		}
		equal(t, "complete", fresh.done[b.id], true)
		equal(t, "keys", desk.Keys(), 2)
	}
}

// A node that certifies more batches than its part of the board holds has each of
// them asked for once: what comes of that drops others, and must not bring them back.
func TestRefetchEnds(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	desk := f.desk
	const many = 8
	desk.registrar().rounds = board.New(f.m, desk.opener, 3*2048) // a few certificates each
	for i := range many {
		cert := wire.Certificate{Context: [32]byte{byte(i)}, Node: 2}
		cert.Attestation = f.attestOne(2, cert.Leaf(f.m))
		f.say(wire.Slot{Kind: wire.SlotCert, ID: wire.ShortID(cert.Context), Node: 2}, wire.Encode(&cert))
	}
	if desk.registrar().rounds.Len() == many {
		t.Fatal("the board holds all of them")
	}
	for i := 0; i < len(desk.fetch) && i < 10*many; i++ {
		desk.do(RoundsAgain{f.dkg[i%many]})
	}
	equal(t, "asked by the gateway", len(desk.fetch), many)
}

// A gateway that meets a part of a batch's rounds asks once for the rest, and writes
// the entry when it got them and nobody else did.
func TestGatewayRefetches(t *testing.T) {
	b := finished(t, "solana")
	desk := b.newDesk()
	for _, m := range b.dkg[3:] {
		desk.do(RoundsMessage{m})
	}
	equal(t, "asked", len(desk.fetch), 1)
	for _, m := range b.dkg {
		desk.do(RoundsAgain{m})
	}
	equal(t, "asked in all", len(desk.fetch), 1)
	desk.timeout(timerRegister)
	equal(t, "entries to write", len(desk.writes), 1)
	desk.do(desk.writes[0].done())
	equal(t, "keys", desk.Keys(), 2)
	equal(t, "batches in progress", desk.registrar().rounds.Len(), 0)
}

// The last certificate comes hours late: nodes that forgot the batch, also
// over a restart, come to have it.
func TestLateCertificate(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		b := dealt(t, "solana")
		b.releaseAll(wire.SlotDeal)
		b.release(0, wire.SlotCert)
		b.release(1, wire.SlotCert)
		b.now = b.now.Add(boardLife + 1)
		a := b.nodes[0]
		a.do(Tick{b.now})
		equal(t, "entries after a long time", len(a.dealer.batches), 0)
		if restarted {
			dkg := b.dkg
			b.dkg = nil // the rounds have forgotten them
			a.restart()
			b.dkg = dkg
			a.out = nil
		}
		b.release(2, wire.SlotCert)
		equal(t, "asked", len(a.fetch), 0)
		if !a.done[b.id] {
			t.Errorf("restarted %v: the register has the batch and the node not its keys", restarted)
		}
	}
}

// A second process of a node certified other deals: what this one stored is
// not what the fleet certified, and must not become usable.
func TestCertifiedBySecondProcess(t *testing.T) {
	b := dealt(t, "solana")
	twin := b.newActor(0)
	twin.do(TaskMessage{b.work[0], t0})
	theirs := twin.want(wire.SlotDeal)
	d1, d2 := b.nodes[1].want(wire.SlotDeal), b.nodes[2].want(wire.SlotDeal)
	for _, w := range []wish{theirs, d1, d2} { // a broker shows the twin its own deal
		twin.do(
			RoundsMessage{
				wire.LogMessage{
					Subject: w.slot.String(),
					Seq:     1,
					Time:    t0,
					Data:    b.sessions[w.slot.Node].Seal(b.m, w.slot.String(), w.body),
				},
			},
		)
	}
	equal(t, "twin", twin.dealer.batches[b.id].phase, dkgCertifying)
	b.releaseAll(wire.SlotDeal)
	b.releaseAll(wire.SlotCert)
	b.show(twin)
	equal(t, "code", twin.expect(ReportAborted).Code, wire.CodeOtherTranscript)
	equal(t, "complete", twin.done[b.id], false)
}

// The cursor stays before an entry that is not stored yet, and nothing else holds it.
func TestCursor(t *testing.T) {
	b := dealt(t, "solana")
	a := b.nodes[0]
	equal(t, "nothing read", a.Cursor(), 1)
	b.post("entry.x.0.head", nil)
	equal(t, "junk read", a.Cursor(), 2)
	b.releaseAll(wire.SlotDeal)
	equal(t, "open batch", a.Cursor(), 2)
	batches, _ := a.Sessions()
	equal(t, "batches in work", batches, 1)
	b.releaseAll(wire.SlotCert) // head 2, deals 3, 4, 5
	equal(t, "done", a.Cursor(), 6)
	fresh := b.newActor(0)
	fresh.hold = true
	for _, m := range b.keys {
		fresh.do(ReadKeys(b.m, m))
		equal(t, "while the entry is read", fresh.Cursor(), 2)
	}
	fresh.compute()
	equal(t, "rebuilt", fresh.Cursor(), 6)
}

// A batch in work stays whole when its node's messages are over their part of the
// board, and may be dropped again once it is given up.
func TestPinned(t *testing.T) {
	b := dealt(t, "solana")
	b.release(1, wire.SlotDeal)
	a := b.nodes[0]
	a.dealer.board.Pin(b.id, t0).SetHeader(b.head) // pinned twice is pinned
	flood := func() {
		for i := range maxBoardBytes/b.m.N/wire.MaxMessageSize + 2 {
			slot := wire.Slot{Kind: wire.SlotDeal, ID: someSession(i), Node: 1}
			data := b.sessions[1].Seal(b.m, slot.String(), make([]byte, wire.MaxMessageSize-4096))
			a.do(RoundsMessage{wire.LogMessage{Subject: slot.String(), Seq: uint64(100 + i), Time: t0, Data: data}})
		}
	}
	flood()
	equal(t, "deal of a batch in work", a.dealer.board.Get(b.id).Has(wire.SlotDeal, 1), true)
	equal(t, "oldest of the flood", a.dealer.board.Get(someSession(0)) == nil, true)
	a.do(SlotLost{wire.Slot{Kind: wire.SlotDeal, ID: b.id, Node: 0}})
	equal(t, "phase", b.phase(0), dkgAborted)
	flood()
	if log := a.dealer.board.Get(b.id); log != nil && log.Has(wire.SlotDeal, 1) {
		t.Error("the deal of a batch that was given up is never dropped")
	}
}

// A batch whose job has expired is given no certificate and no memory any more.
func TestForgetting(t *testing.T) {
	b := dealt(t, "solana")
	b.nodes[0].hold = true
	b.releaseAll(wire.SlotDeal)
	end := t0.Add(30*time.Minute + wire.ClockSkew) // see keygen
	b.nodes[0].do(Tick{end})
	equal(t, "entries", len(b.nodes[0].dealer.batches), 1)
	b.nodes[0].do(Tick{end.Add(1)})
	equal(t, "entries after the time", len(b.nodes[0].dealer.batches)+b.nodes[0].dealer.board.Len(), 0)
	b.nodes[0].compute() // an answer for nobody
	equal(t, "stored", len(b.nodes[0].store)+len(b.nodes[0].out), 0)
	b.now = end.Add(1)
	b.nodes[0].do(TaskMessage{b.work[0], b.now})
	equal(t, "entries after the task was shown again", len(b.nodes[0].dealer.batches), 0)
}

// One that this node has certified waits longer, among those that may be dropped,
// and is complete with the last certificate.
func TestForgettingTheCertified(t *testing.T) {
	b := dealt(t, "solana")
	a := b.nodes[0]
	b.releaseAll(wire.SlotDeal)
	b.release(0, wire.SlotCert)
	b.release(1, wire.SlotCert)
	a.do(Tick{t0.Add(30*time.Minute + wire.ClockSkew + 1)})
	equal(t, "entries", len(a.dealer.batches), 1)
	a.dealer.board.Expire(t0.Add(time.Second)) // what is not pinned
	equal(t, "batches on the board", a.dealer.board.Len(), 0)
	b.release(2, wire.SlotCert)
	equal(t, "complete", a.done[b.id], true)
	a.do(Tick{t0.Add(2*boardLife + 1)})
	equal(t, "entries after the time", len(a.dealer.batches), 0)
}
