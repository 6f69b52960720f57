package protocol

import (
	"bytes"
	"github.com/frostfleet/frostfleet/internal/wire"
	"testing"
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
			if !fresh.done[b.id] || !bytes.Equal(was.Batch.Shares.Expose(), is.Batch.Shares.Expose()) || was.Transcript != is.Transcript {
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
		b.now = b.now.Add(batchLogLife + 1)
		a := b.nodes[0]
		a.do(Tick{b.now})
		equal(t, "entries after a long time", len(a.batches), 0)
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
			}
		}
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
		twin.do(KeysMessage{wire.LogMessage{Subject: w.slot.String(), Seq: 1, Time: t0, Data: b.sessions[w.slot.Node].Seal(b.m, w.slot.String(), w.body)}})
	}
	equal(t, "twin", twin.batches[b.id].phase, dkgCertifying)
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

// Memory for batches that nobody asked this node to work on is bounded: the
// oldest go first, those in work stay.
func TestEviction(t *testing.T) {
	b := dealt(t, "solana")
	old, idle, fresh := wire.Slot{Kind: wire.SlotDeal, ID: someBatch, Node: 1}, wire.Slot{Kind: wire.SlotDeal, ID: "ff" + someBatch[2:], Node: 1}, wire.Slot{Kind: wire.SlotDeal, ID: "ee" + someBatch[2:], Node: 1}
	b.release(1, wire.SlotDeal)
	b.say(old, make([]byte, 1000))
	b.say(idle, make([]byte, 1000))
	a := b.nodes[0]
	before := a.bytes
	a.bytes = maxBatchLogBytes
	b.say(fresh, make([]byte, 1000))
	if a.batches[b.id] == nil || a.batches[fresh.ID] == nil || a.batches[old.ID] != nil {
		t.Error("a batch in work or the newest was dropped, or the oldest stayed")
	}
	a.bytes -= maxBatchLogBytes - before
	for id := range a.batches {
		a.forget(id)
	}
	equal(t, "bytes with nothing held", a.bytes, 0)
}

func TestForgetting(t *testing.T) {
	b := dealt(t, "solana")
	b.nodes[0].hold = true
	b.releaseAll(wire.SlotDeal)
	b.nodes[0].do(Tick{t0.Add(batchLogLife)})
	equal(t, "entries", len(b.nodes[0].batches), 1)
	b.nodes[0].do(Tick{t0.Add(batchLogLife + 1)})
	equal(t, "entries after the time", len(b.nodes[0].batches), 0)
	b.nodes[0].compute() // an answer for nobody
	equal(t, "stored", len(b.nodes[0].store)+len(b.nodes[0].out), 0)
}
