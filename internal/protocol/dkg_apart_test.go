package protocol

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// dealtApart is a batch whose task has deals take their proofs apart.
func dealtApart(t testing.TB, chain string) *batchTest {
	b := newBatch(t, chain)
	b.form = wire.Form
	b.deliver()
	return b
}

// entry is the batch's entry in KEYS.
func (b *batchTest) entry() (*wire.Entry, [][]byte) {
	b.t.Helper()
	var entry *wire.Entry
	var deals [][]byte
	for _, m := range b.keys {
		if _, head := wire.IsEntry(m.Subject); head {
			entry = must(wire.VerifyEntry(m.Data, b.m))
			deals = make([][]byte, len(entry.Deals))
			continue
		}
		for i := range deals {
			if entry.VerifyDeal(i, m.Data) == nil {
				deals[i] = m.Data
			}
		}
	}
	if entry == nil {
		b.t.Fatal("KEYS has no entry")
	}
	return entry, deals
}

// TestCompactBatch: the entry of a batch of form 1 has no proofs, everybody reads it, and nodes
// that lost their disks have their very shares back.
func TestCompactBatch(t *testing.T) {
	for _, chain := range []string{"bitcoin", "solana"} {
		t.Run(chain, func(t *testing.T) {
			b := dealtApart(t, chain)
			b.releaseAll(wire.SlotDeal)
			b.releaseAll(wire.SlotCert)
			entry, deals := b.entry()
			equal(t, "version", entry.Version, wire.CompactVersion)
			public := must(PublicOf(wire.NewLineage(b.m), entry, deals))
			for i, a := range b.nodes {
				equal(t, "complete", a.done[b.id], true)
				r := a.store[b.id]
				equal(t, "keys", reflect.DeepEqual(*public, r.Batch.Public), true)
				for dealer, body := range r.Deals {
					kept, _ := wire.EntryDeal(body)
					equal(t, "deal", bytes.Equal(kept, deals[dealer]), true)
					equal(t, "has its proofs", !bytes.Equal(kept, body), dealer == i)
				}
				fresh := b.newActor(i)
				fresh.replay()
				fresh.expect(ReportRecovered)
				is := fresh.store[b.id]
				if !bytes.Equal(r.Batch.Shares.Expose(), is.Batch.Shares.Expose()) || r.Transcript != is.Transcript || r.Root != is.Root {
					t.Errorf("node %d has other shares after it was rebuilt", i)
				}
			}
			desk := b.newDesk()
			b.show(desk)
			equal(t, "keys", desk.Keys(), 2)
		})
	}
}

// TestCompactBatchSaidAgain: nodes that certified and find the rounds empty say their deals
// with the proofs again, and a gateway makes the entry of that.
func TestCompactBatchSaidAgain(t *testing.T) {
	b := dealtApart(t, "bitcoin")
	b.releaseAll(wire.SlotDeal)
	for _, a := range b.nodes {
		a.want(wire.SlotCert)
	}
	b.dkg, b.work = nil, nil
	for _, a := range b.nodes {
		a.restart()
		for _, kind := range []wire.SlotKind{wire.SlotDeal, wire.SlotCert} {
			for _, w := range a.out {
				if w.slot.Kind == kind {
					a.fill(w)
				}
			}
		}
	}
	b.register()
	entry, _ := b.entry()
	equal(t, "version", entry.Version, wire.CompactVersion)
	for _, a := range b.nodes {
		equal(t, "complete", a.done[b.id], true)
	}
}

// TestMixedForms: where nodes read tasks of two forms, as WORK was lost in between, the batch
// comes about, and its entry says that not every program can read it.
func TestMixedForms(t *testing.T) {
	b := newBatch(t, "bitcoin")
	for i, a := range b.nodes {
		task := (&wire.Task{Job: b.job}).InForm(uint32(i % 2))
		subject := wire.TaskSubject(task, jobID(1))
		a.do(TaskMessage{wire.LogMessage{
			Subject: subject, Seq: 1, Time: b.now, Data: wire.SealGateway(b.gateway, "gw", b.m, subject, wire.Encode(task)),
		}, b.now})
	}
	b.releaseAll(wire.SlotDeal)
	b.releaseAll(wire.SlotCert)
	entry, _ := b.entry()
	equal(t, "version", entry.Version, wire.CompactVersion)
	for i, a := range b.nodes {
		equal(t, "complete", a.done[b.id], true)
		fresh := b.newActor(i)
		b.show(fresh)
		fresh.expect(ReportRecovered)
		equal(t, "shares", bytes.Equal(fresh.store[b.id].Batch.Shares.Expose(), a.store[b.id].Batch.Shares.Expose()), true)
	}
}

// TestApartLyingDealers: what can be wrong with a deal is found in form 1 as well, and so
// is one that leaves out its proofs.
func TestApartLyingDealers(t *testing.T) {
	for name, test := range map[string]struct {
		lie  func(d *frost.Deal)
		raw  func([]byte) []byte
		code string
	}{
		"a proof":          {lie: func(d *frost.Deal) { d.Proofs[40] ^= 1 }, code: frost.CodeProof},
		"no proofs":        {lie: func(d *frost.Deal) { d.Proofs = nil }, code: frost.CodeMalformed},
		"the form before":  {lie: func(d *frost.Deal) { d.ProofsHash = nil }, code: frost.CodeShare},
		"the entry's form": {raw: func(body []byte) []byte { kept, _ := wire.EntryDeal(body); return kept }, code: frost.CodeMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			b := dealtApart(t, "solana")
			w := b.nodes[2].want(wire.SlotDeal)
			body := w.body
			if test.lie != nil {
				h, d, err := wire.DecodeDeal(body)
				b.check(err)
				test.lie(d)
				body = wire.EncodeDeal(h, d)
			} else {
				body = test.raw(body)
			}
			b.say(w.slot, body)
			b.release(0, wire.SlotDeal)
			b.release(1, wire.SlotDeal)
			for i := range 2 {
				c := b.aborted(i)
				equal(t, "code", c.Code, wire.Code(test.code))
				equal(t, "culprit", culpritOf(c), 2)
			}
		})
	}
}

// TestCompactIsNegotiated: a gateway asks for deals without proofs if its setting says so and
// everybody reads them.
func TestCompactIsNegotiated(t *testing.T) {
	for name, test := range map[string]struct {
		set  bool
		form uint32
		want uint32
	}{
		"set, and all read it": {true, wire.Form, 1}, "set, and a node does not": {true, 0, 0}, "not set": {false, wire.Form, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHearts(newFleet(t, 2, 3).start())
			h.desk.keygen.cfg.CompactEntries = test.set
			for range 2 {
				h.now = h.now.Add(time.Second)
				for i := range h.m.N {
					subject := h.m.NodePresence(i)
					h.store(subject, h.sealed(i, subject, func(b *wire.Heartbeat) {
						if b.Version, b.Form = wire.HeartbeatVersion, wire.Form; i == 1 {
							b.Form = test.form
						}
					}))
				}
				h.desk.do(Tick{h.now})
			}
			job := h.keygen(1, "alice", "solana", 2)
			h.desk.arrive(job, nil)
			h.drain()
			h.check(wire.VerifyKeys(h.m, job, h.desk.result()))
			entry, _ := (&batchTest{fleet: h.fleet}).entry()
			equal(t, "compact", entry.Version == wire.CompactVersion, test.want > 0)
		})
	}
}
