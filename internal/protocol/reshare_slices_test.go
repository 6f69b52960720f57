package protocol

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// sliced is an attempt in slices of so many keys.
func (c *crossing) sliced(to, per uint32, dealers ...byte) *wire.Reshare {
	r := c.attempt(to, dealers...)
	r.PerSlice = per
	return r
}

// crossIn is cross in slices.
func (c *crossing) crossIn(to, per uint32, dealers ...byte) *wire.Reshare {
	c.t.Helper()
	r := c.open(c.sliced(to, per, dealers...))
	c.publish()
	if !c.register(r) {
		c.t.Fatalf("attempt %d is not certified; reports: %v", to, c.reports())
	}
	return r
}

// redealtSlice is a dealer's deal of one slice of what it says are its shares of the batch.
func (c *crossing) redealtSlice(r *wire.Reshare, slice, dealer int, shares *secret.Bytes) *frost.ReshareDeal {
	s := r.Slices()[slice]
	part := secret.New(slices.Clone(shares.Expose()[32*s.First : 32*s.End]))
	return must(frost.NewReshareDeal(r.Params(s, c.old.m, c.next.m), dealer, part, &[32]byte{byte(slice), byte(dealer), 77}))
}

// redealSlot is that of one slice of a dealer.
func redealSlot(r *wire.Reshare, slice, dealer int) wire.Slot {
	return wire.Slot{Kind: wire.SlotReshareDeal, ID: r.Slices()[slice].ID(), Node: dealer}
}

// A batch moves in slices of every size, between fleets of every shape, and its keys sign. Every
// dealer says one deal for each slice, and the entry has them all.
func TestReshareInSlices(t *testing.T) {
	for i, shape := range [][2][2]int{{{2, 3}, {3, 5}}, {{3, 5}, {2, 3}}, {{2, 3}, {1, 2}}, {{1, 1}, {1, 1}}, {{1, 2}, {4, 4}}} {
		from, to, chain := shape[0], shape[1], []string{"bitcoin", "solana"}[i%2]
		for per := 1; per < 5; per++ {
			t.Run(fmt.Sprintf("%s/%d of %d to %d of %d in %d", chain, from[0], from[1], to[0], to[1], per), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(uint64(i), uint64(per)))
				c := newCrossingWith(t, chain, from, to, 5)
				var dealers []byte
				for _, node := range slices.Sorted(slices.Values(rng.Perm(from[1])[:from[0]])) {
					dealers = append(dealers, byte(node))
				}
				r := c.sliced(1, uint32(per), dealers...)
				equal(t, "slices", len(r.Slices()), (5+per-1)/per)
				c.arrived(t, c.crossIn(1, uint32(per), dealers...))
				c.next.signed(t, c.entry, rng.Perm(to[1])[:to[0]]...)
			})
		}
	}
}

// A new node that lost its storage has its shares back from an entry in slices, and what moved in
// slices moves on whole, or in others.
func TestSlicedBatchGoesOn(t *testing.T) {
	c := newCrossingWith(t, "bitcoin", [2]int{2, 3}, [2]int{2, 3}, 3)
	r := c.crossIn(1, 2, 1, 2)
	fresh := c.next.newActor(0)
	fresh.replay()
	fresh.expect(ReportRecovered)
	key := keptAs(wire.BatchRef{ID: c.id, Generation: 1})
	was, is := c.next.nodes[0].store[key], fresh.store[key]
	if !fresh.done[key] || !bytes.Equal(was.Batch.Shares.Expose(), is.Batch.Shares.Expose()) ||
		!bytes.Equal(was.Batch.Commitments, is.Batch.Commitments) || is.Reshare.ID() != r.ID() {
		t.Errorf("another batch than before: %+v", is)
	}
	for per := range uint32(3) {
		d := newCrossingOf(t, c, r, [2]int{2, 4})
		equal(t, "generation", d.entry.Generation, 1)
		d.arrivedAndMoved(t, d.crossIn(2, per, 0, 2))
		d.next.signed(t, c.entry, 1, 3)
		for _, a := range c.next.nodes {
			a.moved = nil
		}
		c = newCrossingWith(t, "solana", [2]int{2, 3}, [2]int{2, 3}, 3)
		r = c.crossIn(1, 1, 0, 1)
	}
}

// A dealer that lies in one slice is named by every new node that can tell, and nobody certifies.
// What stands in the slot of another slice, or of none, is no deal of this one.
func TestReshareSliceLies(t *testing.T) {
	for name, lie := range map[string]struct {
		code wire.Code
		body func(c *crossing, r *wire.Reshare, honest *secret.Bytes) []byte
	}{
		"another share": {frost.CodeShare, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			s.Expose()[3*32-1] ^= 1
			return wire.EncodeReshareDeal(r, 1, c.redealtSlice(r, 1, 1, s))
		}},
		"too few commitments": {frost.CodeMalformed, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			d := c.redealtSlice(r, 1, 1, s)
			d.Commitments = d.Commitments[1:]
			return wire.EncodeReshareDeal(r, 1, d)
		}},
		"slice 0 in the place of slice 1": {wire.CodeDealMalformed, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			return wire.EncodeReshareDeal(r, 0, c.redealtSlice(r, 0, 1, s))
		}},
		"slice 0 as if it were slice 1": {frost.CodeShare, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			return wire.EncodeReshareDeal(r, 1, c.redealtSlice(r, 0, 1, s))
		}},
		"a number beyond the last": {wire.CodeDealMalformed, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			return wire.EncodeReshareDeal(r, 2, c.redealtSlice(r, 1, 1, s))
		}},
		"a number far beyond": {wire.CodeDealMalformed, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			return wire.EncodeReshareDeal(r, 1<<31, c.redealtSlice(r, 1, 1, s))
		}},
		"the whole batch": {wire.CodeDealMalformed, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			return c.redealt(c.attempt(1, 0, 1), 1, s, nil)
		}},
		"a slice of another attempt": {wire.CodeDealMalformed, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			other := *r
			other.To++
			return wire.EncodeReshareDeal(&other, 1, c.redealtSlice(&other, 1, 1, s))
		}},
		"a slice of another attempt under this one's name": {frost.CodeShare, func(c *crossing, r *wire.Reshare, s *secret.Bytes) []byte {
			other := *r
			other.To++
			return wire.EncodeReshareDeal(r, 1, c.redealtSlice(&other, 1, 1, s))
		}},
		"no deal": {wire.CodeDealMalformed, func(*crossing, *wire.Reshare, *secret.Bytes) []byte { return []byte("junk") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrossingWith(t, "bitcoin", [2]int{2, 3}, [2]int{2, 3}, 4)
			r := c.open(c.sliced(1, 2, 0, 1))
			liar := c.old.nodes[1]
			equal(t, "deals", len(liar.out), 2)
			liar.out[1].body = lie.body(c, r, liar.shares(wire.BatchRef{ID: c.id}))
			c.publish(wire.SlotReshareDeal)
			for i, a := range c.next.nodes {
				complaint := must(wire.DecodeComplaint(a.want(wire.SlotReshareAbort).body))
				report := a.expect(ReportReshareAbandoned)
				if culpritOf(complaint) != 1 || complaint.Code != lie.code || complaint.Session != r.Context() || report.Culprit != 1 ||
					!strings.Contains(complaint.Reason, "in the slice of keys 2 to 3") {
					t.Errorf("node %d says %v, and reports %v", i, complaint, report)
				}
				equal(t, "stored", len(a.store), 0)
			}
			c.publish()
			equal(t, "certified", c.register(r), false)
			c.crossIn(2, 2, 0, 2)
			c.next.signed(t, c.entry, 0, 2)
		})
	}
}

// A dealer deals all slices but one: it is the one that has not dealt.
func TestReshareSliceWithheld(t *testing.T) {
	c := newCrossingWith(t, "solana", [2]int{2, 3}, [2]int{2, 2}, 3)
	c.open(c.sliced(1, 1, 0, 1))
	dealer := c.old.nodes[1]
	equal(t, "deals", len(dealer.out), 3)
	dealer.out = append(dealer.out[:1], dealer.out[2])
	c.publish()
	c.tick(gatherLife + time.Second)
	for _, a := range c.next.nodes {
		if r := a.expect(ReportReshareAbandoned); !strings.HasSuffix(r.Reason, "no deal came of nodes [1]") {
			t.Errorf("report: %v", r)
		}
		equal(t, "kept", a.resharer.intakes.board.Len()+len(a.resharer.intakes.work), 0)
	}
	c.arrived(t, c.crossIn(2, 1, 0, 2))
}

// A dealer that ended between two slices deals again: of each slice the first deal counts, and
// they need not be of one life.
func TestReshareDealerRestartsBetweenSlices(t *testing.T) {
	c := newCrossingWith(t, "bitcoin", [2]int{2, 3}, [2]int{2, 3}, 3)
	r := c.open(c.sliced(1, 2, 0, 1))
	a := c.old.nodes[0]
	first := a.out[0]
	a.out = nil
	a.fill(first)
	a.restart()
	equal(t, "deals in another life", len(a.out), 2)
	if bytes.Equal(a.out[0].body, first.body) {
		t.Error("a deal is made of the same randomness in two lives")
	}
	c.publish()
	equal(t, "certified", c.register(r), true)
	c.arrived(t, r)
	record := c.next.nodes[0].store[keptAs(wire.BatchRef{ID: c.id, Generation: 1})]
	equal(t, "the first deal counts", bytes.Equal(record.Deals[0], first.body), true)
	c.next.signed(t, c.entry, 0, 2)
}

// Which deal of a slice is the first one is in doubt for that slice of that dealer alone: only its
// rounds are read again, and nothing is certified before.
func TestReshareSliceInDoubt(t *testing.T) {
	c := newCrossingWith(t, "bitcoin", [2]int{2, 3}, [2]int{2, 3}, 4)
	r := c.sliced(1, 2, 0, 1)
	liar := c.old.nodes[1]
	shares := liar.shares(wire.BatchRef{ID: c.id})
	early := wire.EncodeReshareDeal(r, 1, c.redealtSlice(r, 1, 1, shares))
	c.old.say(redealSlot(r, 1, 1), early)
	for _, a := range c.next.nodes {
		a.reads = false
	}
	c.open(r)
	c.old.say(liar.out[1].slot, liar.out[1].body) // a second one
	liar.out = liar.out[:1]
	c.publish()
	for _, a := range c.next.nodes {
		for _, m := range c.next.keys {
			a.do(ReadKeysAgain(c.next.lineage, m))
		}
		equal(t, "certificates before the rounds are read again", len(a.said.transcripts), 0)
		equal(t, "in doubt", fmt.Sprint(a.resharer.intakes.work[wire.BatchRef{ID: c.id, Generation: 1}].unsure),
			fmt.Sprint([]wire.Slot{redealSlot(r, 1, 1)}))
		a.fetch, a.reads = nil, true
	}
	c.tick(lookAgainEvery)
	for _, a := range c.next.nodes {
		equal(t, "slices read again", fmt.Sprint(a.fetch), fmt.Sprint([]string{r.Slices()[1].ID()}))
		record := a.store[keptAs(wire.BatchRef{ID: c.id, Generation: 1})]
		if record == nil || !bytes.Equal(record.Deals[3], early) {
			t.Error("the second deal counts, or none")
		}
	}
}

// Junk under ids of slices that a task does not have takes no memory of an attempt.
func TestSlicesBeyondAreHeldNowhere(t *testing.T) {
	c := newCrossingWith(t, "bitcoin", [2]int{2, 3}, [2]int{2, 3}, 2)
	r := c.open(c.sliced(1, 1, 0, 1))
	more := *r
	more.Header.K = 6 // as if there were more
	for i, s := range more.Slices() {
		if i >= r.SliceCount() {
			c.old.say(wire.Slot{Kind: wire.SlotReshareDeal, ID: s.ID(), Node: 0}, make([]byte, 1000))
		}
	}
	for _, a := range c.next.nodes {
		held := a.resharer.intakes.board.Get(r.ID()).Deals()
		equal(t, "held", slices.ContainsFunc(held, func(d []byte) bool { return d != nil }), false)
	}
	c.publish()
	equal(t, "certified", c.register(r), true)
}

// What is larger than a deal of a slice can be is held nowhere, and is no deal: the dealer has not dealt until
// it says one.
func TestSliceThatIsTooLarge(t *testing.T) {
	c := newCrossingWith(t, "bitcoin", [2]int{2, 3}, [2]int{2, 3}, 4)
	r := c.open(c.sliced(1, 2, 0, 1))
	for i := range 2 {
		c.old.say(redealSlot(r, i, 1), make([]byte, r.MaxDeal(c.next.m)+1))
	}
	for _, a := range c.next.nodes {
		attempt := a.resharer.intakes.board.Get(r.ID())
		equal(t, "held", slices.ContainsFunc(attempt.Deals(), func(d []byte) bool { return d != nil }), false)
		equal(t, "absent", fmt.Sprint(attempt.Absent()), "[0 1]")
	}
	liar := c.old.nodes[1]
	for _, w := range liar.out {
		c.old.say(w.slot, w.body)
	}
	liar.out = nil
	c.publish()
	equal(t, "certified", c.register(r), true)
	c.arrived(t, r)
}

// A gateway has a batch moved in slices whose deals are too large for one message, and follows
// them to the entry, in this life and in the next.
func TestGatewayMovesInSlices(t *testing.T) {
	c := newCrossingWith(t, "bitcoin", [2]int{2, 3}, [2]int{3, 4}, 3)
	c.gateway()
	d := c.old.desk
	d.mover.slice = 2
	hash := c.next.m.Hash()
	d.do(PaceChanged{&wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: true}})
	r := must(wire.DecodeReshare(d.tasks[0].Body))
	equal(t, "keys of a slice", r.PerSlice, 2)
	for _, s := range r.Slices() {
		if !slices.Contains(d.fetch, s.ID()) {
			t.Error("a slice's rounds are not read from their beginning")
		}
	}
	c.run()
	f := d.directory.finished[c.id]
	if f.Generation != 1 || f.view.manifest.Hash() != hash {
		t.Fatalf("the batch is at generation %d: %v, %v", f.Generation, d.reports, c.reports())
	}
	c.next.signed(t, c.entry, 0, 1, 3)
	public := f.public
	c.gateway()
	again := c.old.desk.directory.finished[c.id]
	if again.Generation != 1 || !bytes.Equal(again.public.Commitments, public.Commitments) {
		t.Error("another life knows something else from the log")
	}
}

// prepareTwo is prepare for a batch of two keys, whose task it takes out of those that wait.
func (c *changing) prepareTwo() (r *wire.Reshare) {
	c.prepare()
	c.desk.tasks = slices.DeleteFunc(c.desk.tasks, func(p PublishTask) bool {
		one := must(wire.DecodeReshare(p.Body))
		if r != nil || one.Header.K != 2 {
			return false
		}
		r = one
		return true
	})
	return r
}

// Another gateway's slices are as good as its own, if they are in order.
func TestGatewayFollowsOtherSlices(t *testing.T) {
	for per, follows := range map[uint32]bool{0: true, 1: true, 2: false, 3: false, 1 << 31: false} {
		c := newChanging(t, 2, 3)
		r := c.prepareTwo()
		r.PerSlice = per
		fits := fits(r, c.desk.directory.finished[r.BatchID()], c.desk.views.chain[1])
		equal(t, fmt.Sprintf("slices of %d follow", per), fits, follows)
		if !follows {
			continue
		}
		c.task(PublishTask{Subject: wire.ReshareTaskSubject(r), Body: wire.Encode(r)}, "gw")
		c.run()
		c.tick(3)
		if got := c.generations(); got != "[1 1 1 1]" {
			t.Errorf("slices of %d: generations %s", per, got)
		}
	}
}

// A dealer that withholds one slice is late for the gateway, and sits out.
func TestGatewayMissesASlice(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.desk.mover.slice = 1
	r := c.prepareTwo()
	equal(t, "keys of a slice", r.PerSlice, 1)
	subject := wire.ReshareTaskSubject(r)
	c.post(subject, wire.SealGateway(c.old().gateway, "gw", c.old().m, subject, wire.Encode(r)))
	for i, s := range r.Slices() {
		for _, dealer := range r.Dealers {
			slot := wire.Slot{Kind: wire.SlotReshareDeal, ID: s.ID(), Node: int(dealer)}.String()
			if i == 0 || dealer != r.Dealers[0] {
				c.post(slot, c.old().sessions[dealer].Seal(c.old().m, slot, []byte("a deal")))
			}
		}
	}
	c.answered[r.ID()] = true
	c.tick(int((dealTime+dealKeyTime*2)/time.Second) + 1)
	late := c.desk.reported(ReportReshareAbandoned)
	if len(late) == 0 || !strings.Contains(late[0].Reason, fmt.Sprintf("node %d did not deal in time", r.Dealers[0])) {
		t.Errorf("reports: %v", late)
	}
}

// What large attempts take is bounded: a node gathers, and a gateway begins, no other one beside
// those that fill the room.
func TestLargeAttemptsComeOneByOne(t *testing.T) {
	c := standard(t)
	a := c.next.nodes[0]
	a.reads = false
	next := *c.next.m
	large := func(i int) *wire.Reshare {
		r := c.attempt(1, 0, 1)
		r.Header.Part = uint32(i)
		return r
	}
	for i := range 5 {
		r := large(i)
		b := &intake{node: a.resharer, ref: wire.BatchRef{ID: r.BatchID(), Generation: 1}, Reshare: r, id: r.ID()}
		a.resharer.intakes.work[b.ref] = b
		b.phase = reshareGathering
		equal(t, "room", a.resharer.room(), true)
	}
	a.cfg.Manifest.N, a.cfg.Manifest.T = wire.MaxNodes, wire.MaxNodes // as if the next fleet were this large
	defer func() { a.cfg.Manifest.N, a.cfg.Manifest.T = next.N, next.T }()
	for _, b := range a.resharer.intakes.work {
		b.Header.K, b.PerSlice = frost.MaxBatch, 167
	}
	equal(t, "room beside 80 MB", a.resharer.room(), false)
}

// With -long, a batch of the largest size moves to a fleet of 40, which its deals are too large for.
func TestLargestBatchToAFleetOf40(t *testing.T) {
	if !*longFlag {
		t.Skip("it takes a minute: -long")
	}
	c := newCrossingWith(t, "bitcoin", [2]int{2, 3}, [2]int{20, 40}, frost.MaxBatch)
	per := wire.PerSlice(frost.Secp256k1TR, frost.MaxBatch, 40, 20)
	equal(t, "keys of a slice", per, 500)
	r := c.crossIn(1, per, 0, 2)
	for _, a := range c.next.nodes {
		c.arrivedAt(t, a, r)
	}
	c.next.signed(t, c.entry, c.next.everyone()[10:30]...)
}
