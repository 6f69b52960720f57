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

// Certificates over other deals than those in the log rebuild nothing.
func TestRebuildFromADamagedLog(t *testing.T) {
	b := finished(t, "solana")
	second := b.newActor(2)
	second.do(TaskMessage{b.work[0], t0})
	other := second.want(wire.SlotDeal)
	fresh := b.newActor(0)
	for _, m := range b.keys {
		if m.Subject == other.slot.String() {
			m.Data = b.sessions[2].Seal(b.m, m.Subject, other.body)
		}
		fresh.do(KeysMessage{m})
	}
	equal(t, "code", fresh.expect(ReportAborted).Code, wire.CodeOtherTranscript)
	equal(t, "stored", len(fresh.store), 0)
}

// Whatever part of a batch's messages a node met, it asks once for the rest
// when it sees a certificate, and has the keys when it got them.
func TestRefetch(t *testing.T) {
	b := finished(t, "solana")
	for skip := 1; skip <= 5; skip++ {
		fresh := b.newActor(0)
		for _, m := range b.keys[skip:] { // three deals, then three certificates
			fresh.do(KeysMessage{m})
		}
		equal(t, "asked", len(fresh.fetch), 1)
		for _, m := range b.keys {
			fresh.do(KeysMessage{m})
		}
		equal(t, "asked in all", len(fresh.fetch), 1)
		equal(t, "complete", fresh.done[b.id], true)
	}
}

// A node that certifies more batches than its part of the board holds has each of
// them asked for once: what comes of that drops others, and must not bring them back.
func TestRefetchEnds(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	a, desk := f.nodes[0], f.desk
	const many = 8
	a.dealer.board = board.New(f.m, a.opener, 3*2048) // a few certificates each
	desk.directory.board = board.New(f.m, desk.opener, 3*2048)
	for i := range many {
		cert := wire.Certificate{Context: [32]byte{byte(i)}, Node: 2}
		cert.Attestation = f.attestOne(2, cert.Leaf(f.m))
		f.say(wire.Slot{Kind: wire.SlotCert, ID: wire.ShortID(cert.Context), Node: 2}, wire.Encode(&cert))
	}
	if a.dealer.board.Len() == many || desk.directory.board.Len() == many {
		t.Fatal("the board holds all of them")
	}
	for i := 0; i < len(a.fetch) && i < 10*many; i++ {
		a.do(KeysAgain{f.keys[i%many]})
	}
	for i := 0; i < len(desk.fetch) && i < 10*many; i++ {
		desk.do(KeysAgain{f.keys[i%many]})
	}
	equal(t, "asked by the node", len(a.fetch), many)
	equal(t, "asked by the gateway", len(desk.fetch), many)
}

func TestGatewayRefetches(t *testing.T) {
	b := finished(t, "solana")
	desk := b.newDesk()
	for _, m := range b.keys[3:] {
		desk.do(KeysMessage{m})
	}
	equal(t, "asked", len(desk.fetch), 1)
	for _, m := range b.keys {
		desk.do(KeysMessage{m})
	}
	equal(t, "asked in all", len(desk.fetch), 1)
	equal(t, "keys", desk.Keys(), 2)
	equal(t, "under way", desk.Summaries(), 0)
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
			keys := b.keys
			b.keys = nil // the cursor has passed them
			a.restart()
			b.keys = keys
			a.out = nil
		}
		b.release(2, wire.SlotCert)
		equal(t, "asked", len(a.fetch), 1)
		for range a.fetch {
			for _, m := range b.keys {
				a.do(KeysMessage{m})
				a.do(Tick{b.now}) // old messages make it no old batch
			}
		}
		equal(t, "asked in all", len(a.fetch), 1)
		if !a.done[b.id] {
			t.Errorf("restarted %v: the batch has n certificates and the node not its keys", restarted)
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
			KeysMessage{
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
	for _, m := range b.keys {
		twin.do(KeysMessage{m})
	}
	equal(t, "code", twin.expect(ReportAborted).Code, wire.CodeOtherTranscript)
	equal(t, "complete", twin.done[b.id], false)
}

func TestCursor(t *testing.T) {
	b := dealt(t, "solana")
	a := b.nodes[0]
	equal(t, "nothing read", a.Cursor(), 1)
	b.post("dkg.x", nil)
	equal(t, "junk read", a.Cursor(), 2)
	b.releaseAll(wire.SlotDeal) // 2, 3, 4
	equal(t, "open batch", a.Cursor(), 2)
	batches, _ := a.Sessions()
	equal(t, "batches in work", batches, 1)
	b.releaseAll(wire.SlotCert)
	equal(t, "done", a.Cursor(), 8)
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
			a.do(KeysMessage{wire.LogMessage{Subject: slot.String(), Seq: uint64(100 + i), Time: t0, Data: data}})
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
	for _, m := range b.keys {
		a.do(KeysMessage{m})
	}
	equal(t, "complete", a.done[b.id], true)
	a.do(Tick{t0.Add(2*boardLife + 1)})
	equal(t, "entries after the time", len(a.dealer.batches), 0)
}
