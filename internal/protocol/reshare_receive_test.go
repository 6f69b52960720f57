package protocol

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// redealt is the deal of a dealer that changes what it says.
func (c *crossing) redealt(r *wire.Reshare, dealer int, shares *secret.Bytes, change func(*frost.ReshareDeal)) []byte {
	seed := [32]byte(must(wire.NewSessionKey(rand.Reader, 0, t0)).Public()[:32])
	d := must(frost.NewReshareDeal(r.Params(r.Slices()[0], c.old.m, c.next.m), dealer, shares, &seed))
	if change != nil {
		change(d)
	}
	return wire.EncodeReshareDeal(r, 0, d)
}

// A dealer that lies is named by every new node that can tell, with what it did, and nobody
// certifies. The next attempt does without it.
func TestReshareLies(t *testing.T) {
	for name, lie := range map[string]struct {
		code wire.Code
		body func(c *crossing, r *wire.Reshare, honest *secret.Bytes) []byte
	}{
		"another share": {frost.CodeShare, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			s.Expose()[31] ^= 1
			return c.redealt(r, 1, s, nil)
		}},
		"a share that does not fit": {frost.CodeShare, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			return c.redealt(r, 1, s, func(d *frost.ReshareDeal) {
				other := must(frost.NewReshareDeal(r.Params(r.Slices()[0], c.old.m, c.next.m), 1, s, &[32]byte{9}))
				d.Commitments = other.Commitments
			})
		}},
		"boxes in another order": {frost.CodeShare, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			return c.redealt(r, 1, s, func(d *frost.ReshareDeal) { slices.Reverse(d.Shares[:2]) })
		}},
		"too few commitments": {frost.CodeMalformed, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			return c.redealt(r, 1, s, func(d *frost.ReshareDeal) { d.Commitments = d.Commitments[1:] })
		}},
		"no deal": {wire.CodeDealMalformed, func(*crossing, *wire.Reshare, *secret.Bytes) []byte { return []byte("junk") }},
		"a deal of another attempt": {wire.CodeDealMalformed, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			other := *r
			other.To++
			return c.redealt(&other, 1, s, nil)
		}},
		"a deal of another attempt under this one's name": {frost.CodeShare, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			other := *r
			other.To++
			_, _, d, _ := wire.DecodeReshareDeal(c.redealt(&other, 1, s, nil))
			return wire.EncodeReshareDeal(r, 0, d)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := standard(t)
			r := c.open(c.attempt(1, 0, 1))
			liar := c.old.nodes[1]
			w := liar.want(wire.SlotReshareDeal)
			liar.out = nil
			w.body = lie.body(c, r, liar.shares(wire.BatchRef{ID: c.id}))
			liar.fill(w)
			c.publish(wire.SlotReshareDeal)
			for i, a := range c.next.nodes {
				if name == "boxes in another order" && i == 2 { // its own box is good
					continue
				}
				complaint := must(wire.DecodeComplaint(a.want(wire.SlotReshareAbort).body))
				report := a.expect(ReportReshareAbandoned)
				if culpritOf(complaint) != 1 || complaint.Code != lie.code || complaint.Session != r.Context() ||
					report.Culprit != 1 || report.Code != lie.code {
					t.Errorf("node %d says %v, and reports %v", i, complaint, report)
				}
				equal(t, "stored", len(a.store), 0)
			}
			c.publish()
			equal(t, "certified", c.register(r), false)
			c.cross(2, 0, 2)
			c.next.signed(t, c.entry, 0, 2)
		})
	}
}

// A dealer withholds its deal: the node forgets the attempt after a while, and does the next.
func TestReshareDealWithheld(t *testing.T) {
	c := standard(t)
	c.old.nodes[1].mute = nil
	c.open(c.attempt(1, 0, 1))
	c.old.nodes[1].out = nil
	c.publish()
	a := c.next.nodes[0]
	c.tick(gatherLife)
	equal(t, "in work", len(a.resharer.intakes.work), 1)
	c.tick(time.Second)
	if r := a.expect(ReportReshareAbandoned); !strings.HasSuffix(r.Reason, "no deal came of nodes [1]") {
		t.Errorf("report: %v", r)
	}
	equal(t, "in work", len(a.resharer.intakes.work)+a.resharer.intakes.board.Len()+a.dealer.register.Len(), 0)
	c.arrived(t, c.cross(2, 0, 2))
}

// A later attempt takes the place of one that waits, and a late deal of that changes nothing.
func TestReshareSuperseded(t *testing.T) {
	c := standard(t)
	c.open(c.attempt(1, 0, 1))
	late := c.old.nodes[1].out
	c.old.nodes[1].out = nil
	c.publish()
	r := c.cross(2, 0, 2)
	c.old.nodes[1].out = late
	c.publish()
	c.arrived(t, r)
	for _, a := range c.next.nodes {
		if r := a.expect(ReportReshareAbandoned); !strings.Contains(r.Reason, "was opened") {
			t.Errorf("report: %v", r)
		}
		equal(t, "certified", len(a.said.transcripts), 1)
	}
}

// Of two tasks of one number the first in WORK counts, whoever deals in the other.
func TestReshareTwoTasksOfOneNumber(t *testing.T) {
	c := standard(t)
	r := c.open(c.attempt(1, 0, 1))
	other := c.open(c.attempt(1, 1, 2))
	c.publish()
	equal(t, "the second one", c.register(other), false)
	for _, a := range c.next.nodes {
		a.refusedLast(t, "was opened before")
	}
	equal(t, "the first one", c.register(r), true)
	c.arrived(t, r)
}

// The entry before is not the one that the task names: nobody certifies.
func TestReshareOfAnotherEntry(t *testing.T) {
	for name, change := range map[string]func(*wire.Reshare){
		"header": func(r *wire.Reshare) { r.Header.Digest[0]++ }, // and so another batch, which KEYS lacks
		"base":   func(r *wire.Reshare) { r.Base[0]++; r.Made[0]++ },
		"from":   func(r *wire.Reshare) { r.From, r.To = 1, 2 },
	} {
		c := standard(t)
		r := c.attempt(1, 0, 1)
		change(r)
		c.open(r)
		for i, a := range c.old.nodes[:2] { // it deals all the same
			w := wish{slot: wire.Slot{Kind: wire.SlotReshareDeal, ID: r.ID(), Node: i}}
			w.body = c.redealt(r, i, a.shares(wire.BatchRef{ID: c.id}), nil)
			a.out = nil
			a.fill(w)
		}
		c.publish()
		equal(t, name+": certified", c.register(r), false)
		c.tick(gatherLife + time.Second)
		for _, a := range c.next.nodes {
			a.expect(ReportReshareAbandoned)
			equal(t, name+": kept", len(a.resharer.intakes.work)+a.dealer.register.Len(), 0)
		}
	}
}

// Nodes of the next manifest keep nothing of the entries of the one before that they do not
// need, and what they need is read again.
func TestReshareMemoryIsFlat(t *testing.T) {
	c := standard(t)
	for _, a := range c.next.nodes {
		equal(t, "entries kept", a.dealer.register.Len()+a.dealer.register.Bytes(), 0)
		equal(t, "holdings", a.Holdings().Len(), 0)
		c.next.show(a)
		equal(t, "entries kept", a.dealer.register.Len(), 0)
	}
	c.open(c.attempt(1, 0, 1))
	for _, a := range c.next.nodes {
		if !slices.Contains(a.fetch, c.id) {
			t.Error("the entry before is not read again")
		}
		equal(t, "entries kept", a.dealer.register.Len(), 1)
	}
}

// A deal that came before the node worked on its attempt, and one that came twice: the first
// in the rounds counts, and nothing is certified before that is certain.
func TestReshareFirstDealCounts(t *testing.T) {
	c := standard(t)
	r := c.attempt(1, 0, 1)
	liar := c.old.nodes[1]
	shares := liar.shares(wire.BatchRef{ID: c.id})
	slot := wire.Slot{Kind: wire.SlotReshareDeal, ID: r.ID(), Node: 1}
	early, twice := c.redealt(r, 1, shares, nil), c.redealt(r, 1, shares, nil)
	c.old.post(slot.String(), []byte("junk"))
	c.old.say(slot, early)
	for _, a := range c.next.nodes {
		a.reads = false
	}
	c.open(r)
	liar.out = nil
	c.old.say(slot, twice)
	c.publish()
	for _, a := range c.next.nodes {
		for _, m := range c.next.keys {
			a.do(ReadKeysAgain(c.next.lineage, m))
		}
		equal(t, "certificates before the rounds are read again", len(a.said.transcripts), 0)
		a.fetch, a.reads = nil, true
	}
	c.tick(lookAgainEvery)
	for _, a := range c.next.nodes {
		equal(t, "attempts read again", fmt.Sprint(a.fetch), fmt.Sprint([]string{r.ID()}))
		if record := a.store[keptAs(wire.BatchRef{ID: c.id, Generation: 1})]; record == nil ||
			!bytes.Equal(record.Deals[1], early) {
			t.Error("the second deal counts, or none")
		}
	}
}

// A node that is not behind reads nothing again but the entry before.
func TestReshareReadsLittle(t *testing.T) {
	c := standard(t)
	c.cross(1, 0, 1)
	for _, a := range c.next.nodes {
		equal(t, "read again", fmt.Sprint(a.fetch), fmt.Sprint([]string{c.id}))
	}
}

// A new node restarts at each step, with what is on its disk then.
func TestReshareRestarts(t *testing.T) {
	for step, name := range []string{
		"before the deals", "with the deals there", "with the certificate not out", "with it out", "after the entry",
	} {
		for _, wiped := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", wiped ", wiped), func(t *testing.T) {
				t.Parallel()
				c := standard(t)
				a := c.next.nodes[0]
				restart := func(at int) {
					if at != step {
						return
					}
					if wiped {
						a.store, a.done = map[string]*BatchRecord{}, map[string]bool{}
						if at > 2 {
							a.out = nil
						}
					}
					a.restart()
				}
				r := c.open(c.attempt(1, 0, 1))
				restart(0)
				a.hold = step == 1
				c.publish(wire.SlotReshareDeal)
				a.hold = false
				restart(1)
				restart(2)
				if wiped && step == 2 {
					a.said.transcripts = map[string][32]byte{} // of a life that is not known any more
				}
				c.publish()
				restart(3)
				c.publish()
				equal(t, "certified", c.register(r), true)
				restart(4)
				c.arrivedAt(t, a, r)
				c.next.signed(t, c.entry, 0, 1)
			})
		}
	}
}

// arrivedAt holds that a new node has the batch.
func (c *crossing) arrivedAt(t *testing.T, a *actor, r *wire.Reshare) {
	t.Helper()
	ref := keptAs(wire.BatchRef{ID: c.id, Generation: r.To})
	if !a.done[ref] || a.store[ref] == nil {
		t.Fatalf("node %d has no finished batch; reports: %v", a.cfg.Index, a.reports)
	}
	equal(t, "in work", len(a.resharer.intakes.work)+a.resharer.intakes.board.Len()+a.dealer.register.Len(), 0)
}

// A new node that lost its storage has its very shares back from the entry and its host key,
// and one with another host key has none.
func TestReshareRebuild(t *testing.T) {
	for _, chain := range []string{"bitcoin", "solana"} {
		c := newCrossing(t, chain, [2]int{2, 3}, [2]int{2, 3})
		r := c.cross(1, 1, 2)
		was := c.next.nodes[0]
		fresh := c.next.newActor(0)
		fresh.replay()
		fresh.expect(ReportRecovered)
		key := keptAs(wire.BatchRef{ID: c.id, Generation: 1})
		a, b := was.store[key], fresh.store[key]
		if !fresh.done[key] || !bytes.Equal(a.Batch.Shares.Expose(), b.Batch.Shares.Expose()) || a.Root != b.Root ||
			a.Transcript != b.Transcript || a.MadeBy != b.MadeBy || a.Context != b.Context || b.Reshare.ID() != r.ID() {
			t.Errorf("%s: another batch than before: %+v", chain, b)
		}
		equal(t, "said", len(fresh.out), 0)
		c.next.host[0], c.next.work = c.next.host[1], nil
		fresh = c.next.newActor(0)
		fresh.replay()
		fresh.expect(ReportReshareAbandoned)
		equal(t, "complete", len(fresh.done), 0)
		equal(t, "kept", fresh.dealer.register.Len()+len(fresh.resharer.intakes.work), 0)
	}
}

// An old node restarts and deals again: what stands in its slot already counts, and nothing
// comes of the other deal.
func TestReshareDealerRestarts(t *testing.T) {
	c := standard(t)
	r := c.open(c.attempt(1, 0, 1))
	c.publish(wire.SlotReshareDeal)
	a := c.old.nodes[0]
	a.restart()
	equal(t, "deals in another life", len(a.out), 1)
	c.publish()
	equal(t, "certified", c.register(r), true)
	c.arrived(t, r)
	deals := 0
	for _, m := range c.old.dkg {
		if strings.HasPrefix(m.Subject, "reshare.") && strings.HasSuffix(m.Subject, "redeal.0") {
			deals++
		}
	}
	equal(t, "deals of node 0 in the rounds", deals, 1)
}

// A node whose storage refuses the batch says so; the others wait, and the next attempt
// moves it.
func TestReshareStorageFails(t *testing.T) {
	c := standard(t)
	a := c.next.nodes[0]
	a.failing = errors.New("full")
	r := c.open(c.attempt(1, 0, 1))
	c.publish()
	equal(t, "certified", c.register(r), false)
	equal(t, "code", a.expect(ReportReshareAbandoned).Code, wire.CodeInternal)
	a.failing = nil
	c.cross(2, 0, 1)
	for i, other := range c.next.nodes {
		c.arrivedLast(t, i, other)
	}
	// What the others certified first is of no use to anybody, and is not said again.
	other := c.next.nodes[1]
	first := other.store[keptAs(wire.BatchRef{ID: c.id, Generation: 1})]
	equal(t, "said again", len(other.Step(first.again(1))), 0)
}

func (c *crossing) arrivedLast(t *testing.T, i int, a *actor) {
	t.Helper()
	if newest := a.newest(c.id); newest == nil || newest.Generation != 2 {
		t.Errorf("node %d signs with %+v", i, newest)
	}
}

// A node says its certificate again until it has seen the entry, and then no more.
func TestReshareCertificateIsSaidAgain(t *testing.T) {
	c := standard(t)
	r := c.open(c.attempt(1, 0, 1))
	c.publish(wire.SlotReshareDeal)
	a := c.next.nodes[0]
	again := a.store[keptAs(wire.BatchRef{ID: c.id, Generation: 1})].again(0)
	a.out = nil
	c.publish()
	equal(t, "certified without it", c.register(r), false)
	equal(t, "deals kept while others have not certified", a.resharer.intakes.board.Len(), 0)
	a.reports = nil
	a.restart() // and reads the task again
	if _, n := a.reported(ReportReshareCertified); n != 0 || a.resharer.intakes.board.Len() != 0 {
		t.Error("it is checked and certified once more")
	}
	a.out, a.said.transcripts = nil, map[string][32]byte{}
	c.tick(0)
	c.tick(boardLife)
	equal(t, "in work", len(a.resharer.intakes.work), 1)
	c.tick(time.Second)
	equal(t, "in work", len(a.resharer.intakes.work), 0)
	a.do(again)
	equal(t, "slot", a.want(wire.SlotReshareCert).slot, wire.Slot{Kind: wire.SlotReshareCert, ID: r.ID(), Node: 0})
	c.publish()
	equal(t, "certified", c.register(r), true)
	equal(t, "complete", a.done[keptAs(again.Batch)], true)
	equal(t, "said again", len(a.Step(again)), 0)
}

// The rounds are lost, or others are revoked: what is not certified is given up.
func TestReshareBeginsAgain(t *testing.T) {
	for name, ev := range map[string]func(c *crossing) Event{
		"rounds": func(*crossing) Event { return RoundsLost{} },
		"access": func(c *crossing) Event {
			return AccessChanged{must(wire.NewAccess(nil, nil, wire.Revoked{SessionKeys: [][]byte{make([]byte, 32)}}))}
		},
		"fork": func(c *crossing) Event { return LineageChanged{c.forked()} },
	} {
		t.Run(name, func(t *testing.T) {
			c := standard(t)
			c.open(c.attempt(1, 0, 1))
			a, certified := c.next.nodes[0], c.next.nodes[1]
			a.hold = true
			c.publish(wire.SlotReshareDeal)
			a.do(ev(c))
			certified.do(ev(c))
			a.compute()
			a.expect(ReportReshareAbandoned)
			equal(t, "stored", len(a.store), 0)
			a.want(wire.SlotReshareAbort)
			equal(t, "in work where it was certified", len(certified.resharer.intakes.work), 1)
		})
	}
}

// Somebody gives an attempt up: who has not certified stops.
func TestReshareAbortStopsOthers(t *testing.T) {
	c := standard(t)
	r := c.open(c.attempt(1, 0, 1))
	a, certified := c.next.nodes[0], c.next.nodes[1]
	a.hold = true
	c.publish(wire.SlotReshareDeal)
	c.next.say(wire.Slot{Kind: wire.SlotReshareAbort, ID: r.ID(), Node: 2},
		wire.Encode(&wire.Complaint{Session: r.Context(), Code: wire.CodeInternal, Reason: "for a reason"}))
	a.compute()
	if r := a.expect(ReportReshareAbandoned); !strings.Contains(r.Reason, "node 2 gave it up: for a reason") {
		t.Errorf("report: %v", r)
	}
	equal(t, "stored", len(a.store)+len(a.out), 0)
	equal(t, "in work where it was certified", len(certified.resharer.intakes.work), 1)
}

func (n *resharer) gathering() (count int) {
	for _, b := range n.intakes.work {
		if b.phase == reshareGathering {
			count++
		}
	}
	return count
}

// Few attempts are gathered at a time, the others wait for their turn.
func TestReshareIntakesWait(t *testing.T) {
	c := standard(t)
	a := c.next.nodes[0]
	a.reads = false
	for i := range maxIntakes + maxWaiting + 2 {
		r := c.attempt(1, 0, 1)
		r.Header.Part = uint32(i) // another batch
		subject := wire.ReshareTaskSubject(r)
		data := wire.SealGateway(c.old.gateway, "gw", c.old.m, subject, wire.Encode(r))
		a.do(TaskMessage{wire.LogMessage{Subject: subject, Time: c.old.now, Data: data}, c.old.now})
	}
	equal(t, "gathered", a.resharer.gathering(), maxIntakes)
	equal(t, "on the board", a.resharer.intakes.board.Len(), maxIntakes)
	equal(t, "waiting", len(a.resharer.intakes.waiting), maxWaiting)
	a.refusedLast(t, "wait for their turn")
	c.tick(gatherLife + time.Second)
	equal(t, "gathered", a.resharer.gathering(), maxIntakes)
	equal(t, "waiting", len(a.resharer.intakes.waiting), maxWaiting-maxIntakes)
	c.tick(waitLife)
	equal(t, "in work", len(a.resharer.intakes.work), 0)
	a.do(Stop{})
	equal(t, "waiting at the end", len(a.resharer.intakes.waiting), 0)
}

// What stands in a node's own slots of a resharing.
func TestReshareJudge(t *testing.T) {
	c := standard(t)
	r := c.open(c.attempt(1, 0, 1))
	c.publish(wire.SlotReshareDeal)
	a := c.next.nodes[0]
	w := a.want(wire.SlotReshareCert)
	judge := func(slot wire.Slot, standing, body []byte) wire.Verdict {
		data := c.next.sessions[0].Seal(c.next.m, slot.String(), standing)
		return a.Judge(slot, wire.LogMessage{Subject: slot.String(), Time: c.old.now, Data: data}, body)
	}
	certificate := func(change func(*wire.Certificate)) []byte {
		cert := *must(wire.DecodeReshareCertificate(w.body, c.next.m, 0))
		change(&cert)
		cert.Attestation = c.next.attestOne(0, cert.Leaf(c.next.m))
		return wire.Encode(&cert)
	}
	abort := wire.Slot{Kind: wire.SlotReshareAbort, ID: r.ID(), Node: 0}
	complaint := wire.Encode(&wire.Complaint{Session: r.Context(), Code: wire.CodeInternal})
	for name, one := range map[string]struct {
		slot           wire.Slot
		standing, body []byte
		want           wire.Verdict
	}{
		"the same":           {w.slot, w.body, w.body, wire.Mine},
		"signed anew":        {w.slot, certificate(func(*wire.Certificate) {}), w.body, wire.Mine},
		"another transcript": {w.slot, certificate(func(c *wire.Certificate) { c.Transcript[0]++ }), w.body, wire.Other},
		"another generation": {w.slot, certificate(func(c *wire.Certificate) { c.Generation++ }), w.body, wire.Other},
		"generation 0":       {w.slot, certificate(func(c *wire.Certificate) { c.Generation = 0 }), w.body, wire.Junk},
		"another attempt":    {w.slot, certificate(func(c *wire.Certificate) { c.Context[0]++ }), w.body, wire.Junk},
		"junk":               {w.slot, []byte("junk"), w.body, wire.Junk},
		"an abort":           {abort, complaint, []byte("x"), wire.Mine},
		"junk for an abort":  {abort, []byte("junk"), complaint, wire.Junk},
	} {
		if got := judge(one.slot, one.standing, one.body); got != one.want {
			t.Errorf("%s: %v, want %v", name, got, one.want)
		}
	}
}

// A gateway that lies opens an attempt at shares that nobody has, under a high number. The true
// ones, which are lower, are taken all the same.
func TestHighNumbersStopNothing(t *testing.T) {
	c := standard(t)
	high := c.attempt(maxNumbers, 0, 1)
	high.From, high.Base = 1, [32]byte{1}
	c.open(high)
	c.arrived(t, c.cross(1, 0, 1))
}
