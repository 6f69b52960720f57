package protocol

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// session posts a sign task of a batch's first key for the nodes of a manifest.
func (c *crossing) session(f *fleet, n int, batch string) (id string) {
	job := c.old.signing(n, "alice", item(batch, 0, fmt.Sprint(n)))
	task := wire.SignTask(job, 0, []uint32{0}, nil).For(f.m)
	c.old.task(task, jobID(n))
	return wire.ShortID(task.Session(f.m))
}

// refusals are the codes that nodes want to publish for a session.
func (f *fleet) refusals(id string) (codes []wire.Code) {
	for _, a := range f.nodes {
		for _, w := range a.out {
			if w.slot.ID == id && w.slot.Kind == wire.SlotRefuse {
				codes = append(codes, must(wire.DecodeComplaint(w.body)).Code)
			}
		}
	}
	return codes
}

// commits counts the commitments that nodes want to publish for a session.
func (f *fleet) commits(id string) (count int) {
	for _, a := range f.nodes {
		for _, w := range a.out {
			if w.slot.ID == id && w.slot.Kind == wire.SlotCommit {
				count++
			}
		}
	}
	return count
}

// Old nodes sign until they have the whole entry of a later generation, and no more from then
// on. What they committed to before that they sign.
func TestMoved(t *testing.T) {
	c := standard(t)
	r := c.open(c.attempt(1, 0, 1))
	c.publish()
	head, deals := c.assemble(r)
	before := c.session(c.old, 1, c.id)
	equal(t, "commitments before the entry", c.old.commits(before), 2)
	c.old.post(wire.EntryHeadSubject(c.id, 1), wire.Encode(head))
	c.old.post(wire.EntryDealSubject(c.id, 1, 0), deals[0])
	half := c.session(c.old, 2, c.id)
	equal(t, "commitments with half of the entry", c.old.commits(half), 2)
	for _, a := range c.old.nodes {
		equal(t, "moved", len(a.moved), 0)
	}
	c.old.post(wire.EntryDealSubject(c.id, 1, 1), deals[1])
	c.arrived(t, r)
	after := c.session(c.old, 3, c.id)
	equal(t, "refusals", fmt.Sprint(c.old.refusals(after)), fmt.Sprint([]wire.Code{wire.CodeMoved, wire.CodeMoved}))
	equal(t, "commitments after the entry", c.old.commits(after), 0)
	c.publish()
	shares := 0
	for _, m := range c.old.sign {
		if strings.Contains(m.Subject, ".share.") {
			shares++
		}
	}
	equal(t, "shares of the two sessions before", shares, 4)

	c.old.register(t, c, head, deals) // once more
	c.old.keys = nil                  // what is noted in the keystore is enough
	for i, a := range c.old.nodes {
		equal(t, "moved", fmt.Sprint(a.moved), fmt.Sprint([]string{c.id}))
		a.restart()
		id := c.session(c.old, 10+i, c.id)
		if got := c.old.refusals(id); len(got) != 2 || c.old.commits(id) != 0 {
			t.Errorf("after a restart: %v", got)
		}
	}
	// The new nodes sign, and hear nothing of tasks for the others.
	id := c.session(c.next, 20, c.id)
	equal(t, "commitments of new nodes", c.next.commits(id), 2)
	for _, a := range c.nodes() {
		if _, n := a.reported(ReportBadTask); n > 0 {
			t.Errorf("a task for others is reported: %v", a.reports)
		}
	}
}

func (f *fleet) register(t *testing.T, c *crossing, head *wire.EntryHead, deals [][]byte) {
	t.Helper()
	f.post(wire.EntryHeadSubject(c.id, head.Generation), wire.Encode(head))
	for i, deal := range deals {
		f.post(wire.EntryDealSubject(c.id, head.Generation, i), deal)
	}
	for _, a := range f.nodes {
		equal(t, "entries kept", a.dealer.register.Len(), 0)
	}
}

// A key of a request that has moved is read, and signs nothing; other keys of the request
// still sign.
func TestMovedKeyOfARequest(t *testing.T) {
	f := agedFleet(t)
	a := f.nodes[0]
	keys := a.load([]wire.KeyID{{Batch: f.sol, Index: 0}, {Batch: f.sol, Index: 1}})
	r := &signRequest{job: &wire.Job{Items: []wire.JobItem{item(f.sol, 0, "a"), item(f.sol, 1, "b")}}, client: "alice",
		which: []uint32{0, 1}, keys: []wire.KeyID{{Batch: f.sol, Index: 0}, {Batch: f.sol, Index: 1}}}
	for which, want := range map[int]string{0: "item 0", 1: "item 1"} {
		moved := []bool{false, false}
		moved[which] = true
		if _, err := r.check(keys, moved, nil); err == nil || err.Code != wire.CodeMoved || !strings.HasPrefix(err.Reason, want) {
			t.Errorf("%d: %v", which, err)
		}
	}
	if _, err := r.check(keys, make([]bool, 2), nil); err != nil {
		t.Error(err)
	}
	text := "hello"
	id := wire.KeyID{Batch: f.sol, Index: 0}
	r = &signRequest{job: &wire.Job{SolanaMessage: &text, Keys: []wire.SignKey{{Key: id.String()}}}, client: "alice",
		network: "regtest", which: []uint32{0}, keys: []wire.KeyID{id}}
	for _, moved := range []bool{false, true} {
		_, err := r.check(a.load(r.keys), []bool{moved}, nil)
		if (err != nil && err.Code == wire.CodeMoved) != moved || err != nil && !moved {
			t.Errorf("a request of a key, moved %v: %v", moved, err)
		}
	}
}

// An old node that lost its storage reads both generations, and knows that the batch moved.
func TestMovedIsKnownAfterARebuild(t *testing.T) {
	for _, reversed := range []bool{false, true} {
		c := standard(t)
		c.cross(1, 0, 1)
		a := c.old.newActor(2)
		if reversed {
			slices.Reverse(c.old.keys)
		}
		a.reads = true
		c.old.nodes[2] = a
		a.replay()
		c.tick(time.Second)
		c.tick(5 * time.Second) // what came in another order is read again
		ref := wire.BatchRef{ID: c.id}
		equal(t, "complete", a.done[keptAs(ref)], true)
		equal(t, "moved", fmt.Sprint(a.moved), fmt.Sprint([]string{c.id}))
		equal(t, "entries kept", a.dealer.register.Len(), 0)
	}
}

// Entries of batches that are not this node's move nothing, nor do those of a manifest before
// its own.
func TestOthersEntriesMoveNothing(t *testing.T) {
	c := standard(t)
	r := c.cross(1, 0, 1)
	for _, a := range c.next.nodes {
		equal(t, "moved at a new node", len(a.moved), 0)
	}
	third := newCrossingOf(t, c, r, [2]int{2, 2})
	r2 := third.cross(2, 0, 2)
	third.arrivedAndMoved(t, r2)
	for _, a := range c.old.nodes { // it moved once
		equal(t, "moved", len(a.moved), 1)
	}
}

// A node certified an attempt that came to nothing, and the batch moves on under the same
// number: that is a later generation than what it has.
func TestMovedUnderANumberOfAnAttempt(t *testing.T) {
	c := standard(t)
	first := c.cross(1, 0, 1)
	second := newCrossingOf(t, c, first, [2]int{2, 2})
	for _, a := range second.old.nodes {
		a.dealer.know(wire.BatchRef{ID: c.id, Generation: 2}, KnownBatch{Transcript: [32]byte{1}, MadeBy: c.entry.MadeBy})
	}
	second.arrivedAndMoved(t, second.cross(2, 0, 1))
}

// Entries of manifests before a node's own, and of generations below what it has, move
// nothing.
func TestEarlierEntriesMoveNothing(t *testing.T) {
	c := standard(t)
	second := newCrossingOf(t, c, c.cross(3, 0, 1), [2]int{2, 2})
	n := second.old.nodes[0].resharer
	for _, one := range []struct {
		of         *fleet
		generation uint32
		want       bool
	}{{second.next, 4, true}, {second.next, 2, false}, {second.next, 3, false}, {c.old, 9, false}, {c.next, 9, false}} {
		e := &wire.Entry{ID: c.id}
		e.Manifest, e.Generation = one.of.m.Hash(), one.generation
		equal(t, fmt.Sprintf("generation %d", one.generation), n.isLater(&board.Entry{Entry: e}), one.want)
	}
}

// An attempt that is not certified ends once another one moved the batch.
func TestReshareMovedByAnotherAttempt(t *testing.T) {
	c := standard(t)
	r := c.open(c.attempt(1, 0, 1))
	c.publish()
	c.open(c.attempt(2, 1, 2))
	equal(t, "certified", c.register(r), true)
	for _, a := range c.next.nodes {
		c.arrivedAt(t, a, r)
	}
}

// A session key of a dealer is revoked: what it sealed counts no more.
func TestReshareUnderARevokedSessionKey(t *testing.T) {
	c := standard(t)
	c.open(c.attempt(1, 0, 1))
	key := c.old.sessions[1].Public()
	pub := c.old.gateway.Public().(ed25519.PublicKey)
	access := must(wire.NewAccess(nil, map[string]ed25519.PublicKey{"gw": pub}, wire.Revoked{SessionKeys: [][]byte{key}}))
	for _, a := range c.next.nodes {
		a.do(AccessChanged{access})
		a.out = nil
	}
	c.open(c.attempt(2, 0, 1))
	c.publish()
	for _, a := range c.next.nodes {
		equal(t, "certified", len(a.store), 0)
	}
}

// The task names another transcript of a later generation than the register has.
func TestReshareOfAnotherLaterEntry(t *testing.T) {
	for _, change := range []func(*wire.Reshare){
		func(r *wire.Reshare) { r.Base[0]++ },
		func(r *wire.Reshare) { r.Made[0]++ },
	} {
		c := standard(t)
		second := newCrossingOf(t, c, c.cross(1, 0, 1), [2]int{2, 2})
		r := second.attempt(2, 0, 1)
		change(r)
		second.open(r)
		for i, a := range second.old.nodes[:2] {
			a.refuses(t, "has another batch")
			w := wish{slot: wire.Slot{Kind: wire.SlotReshareDeal, ID: r.ID(), Node: i}}
			w.body = second.redealt(r, i, a.shares(wire.BatchRef{ID: c.id, Generation: 1}), nil)
			a.fill(w)
		}
		for _, a := range second.next.nodes {
			equal(t, "code", a.expect(ReportReshareAbandoned).Code, wire.CodeOtherTranscript)
			equal(t, "stored", len(a.store), 0)
		}
	}
}

// newCrossingOf is the next move of what a crossing moved.
func newCrossingOf(t testing.TB, before *crossing, r *wire.Reshare, to [2]int) *crossing {
	c := &crossing{old: before.next, next: continued(t, before.next, to[0], to[1]), t: t, id: before.id}
	for _, m := range before.next.keys {
		if m.Subject == wire.EntryHeadSubject(c.id, r.To) {
			c.entry = must(wire.VerifyEntry(m.Data, before.next.lineage))
		}
	}
	for _, a := range before.next.nodes {
		a.reports = nil
	}
	succession := before.next.succession(c.next.m, false, before.next.everyone()...)
	c.join(must(before.next.lineage.WithSuccession(succession)))
	return c
}

// arrivedAndMoved is arrived for nodes that had an earlier generation themselves.
func (c *crossing) arrivedAndMoved(t *testing.T, r *wire.Reshare) {
	t.Helper()
	for _, a := range c.next.nodes {
		c.arrivedAt(t, a, r)
	}
	for i, a := range c.old.nodes {
		equal(t, fmt.Sprintf("moved at node %d of the manifest before", i), fmt.Sprint(a.moved), fmt.Sprint([]string{c.id}))
	}
}

// A batch moves twice, and its keys stay: what proves the shares of the second dealers are the
// deals of the first move.
func TestReshareTwice(t *testing.T) {
	for _, chain := range []string{"bitcoin", "solana"} {
		c := newCrossing(t, chain, [2]int{2, 3}, [2]int{3, 4})
		first := c.cross(4, 1, 2)
		second := newCrossingOf(t, c, first, [2]int{2, 3})
		founding := c.entry
		r := second.cross(5, 0, 1, 3)
		second.arrivedAndMoved(t, r)
		second.next.signed(t, founding, 0, 2)
		second.next.signed(t, founding, 1, 2)
		for _, a := range second.old.nodes { // they deal no more
			a.reports, a.asked, a.dealt = nil, nil, nil
		}
		second.open(second.attempt(6, 0, 1, 2))
		second.old.nodes[0].refuses(t, "with a later manifest's nodes already")
	}
}

// All nodes of the next manifest certify other keys, or keys of another key generation: the
// batch is refused, by them and by the old nodes.
func TestEntryOfOtherKeysIsRefused(t *testing.T) {
	c := standard(t)
	r := c.attempt(1, 0, 1)
	r.Made[0]++
	r.Base = r.Made
	keys := slices.Clone(c.entry.Keys)
	for i := range keys {
		keys[i].ChainCode = wire.ChainCode(r.Made, i)
	}
	deals := [][]byte{[]byte("a"), []byte("b")}
	head := wire.NewLaterHead(r, keys, nil, wire.DealDigests(deals))
	for i := range c.next.m.N {
		cert := wire.Certificate{Context: r.Context(), Generation: 1, Transcript: wire.Transcript(head.Deals),
			Root: wire.KeyRoot(keys), Node: uint32(i)}
		cert.Attestation = c.next.attestOne(i, cert.Leaf(c.next.m))
		head.Certificates = append(head.Certificates, wire.Encode(&cert))
	}
	mine := c.next.nodes[0]
	mine.dealer.take(wire.BatchRef{ID: c.id, Generation: 2}, KnownBatch{Transcript: [32]byte{1}, MadeBy: c.entry.MadeBy})
	c.old.post(wire.EntryHeadSubject(c.id, 1), wire.Encode(head))
	for _, a := range append(slices.Clone(c.old.nodes), mine) {
		a.expect(ReportConflict)
		equal(t, "refused in the keystore", fmt.Sprint(a.refusedIDs), fmt.Sprint([]string{c.id}))
		equal(t, "moved", len(a.moved), 0)
		equal(t, "kept", a.dealer.register.Len(), 0)
	}
	id := c.session(c.old, 1, c.id)
	equal(t, "commitments", c.old.commits(id), 0)
}

// A batch with two valid entries ends what is under way of it.
func TestConflictEndsAResharing(t *testing.T) {
	c := standard(t)
	c.open(c.attempt(1, 0, 1))
	a := c.next.nodes[0]
	equal(t, "in work", len(a.resharer.intakes.work), 1)
	other := c.entry.EntryHead
	other.Deals = slices.Clone(other.Deals)
	other.Deals[0][0]++
	transcript := wire.Transcript(other.Deals)
	other.Keys = wire.EntryKeys(c.entry.PublicKeys(), other.Header.Client, transcript)
	other.Certificates = nil
	for i := range c.old.m.N {
		cert := wire.Certificate{Context: c.entry.Context, Transcript: transcript, Root: wire.KeyRoot(other.Keys), Node: uint32(i)}
		cert.Attestation = c.old.attestOne(i, cert.Leaf(c.old.m))
		other.Certificates = append(other.Certificates, wire.Encode(&cert))
	}
	a.do(ReadKeys(c.old.lineage, wire.LogMessage{Subject: wire.EntryHeadSubject(c.id, 0), Data: wire.Encode(&other)}))
	a.expect(ReportConflict)
	equal(t, "in work", len(a.resharer.intakes.work)+a.resharer.intakes.board.Len(), 0)
}

// All nodes certified an attempt over other deals than this process did: it runs twice.
func TestReshareOtherTranscript(t *testing.T) {
	c := standard(t)
	a := c.next.nodes[0]
	r := c.open(c.attempt(1, 0, 1))
	c.publish()
	a.resharer.intakes.work[wire.BatchRef{ID: c.id, Generation: 1}].certified[0]++
	equal(t, "certified", c.register(r), true)
	equal(t, "code", a.expect(ReportReshareAbandoned).Code, wire.CodeOtherTranscript)
	equal(t, "complete", len(a.done), 0)
	equal(t, "kept", a.dealer.register.Len()+len(a.resharer.intakes.work), 0)
}

// Two attempts become entries: each node signs with the higher one, in whatever order they
// come, and says that it has both.
func TestHighestGenerationSigns(t *testing.T) {
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		c := standard(t)
		attempts := []*wire.Reshare{c.open(c.attempt(1, 0, 1))}
		c.publish()
		attempts = append(attempts, c.open(c.attempt(2, 1, 2)))
		c.publish()
		for _, i := range order {
			equal(t, "certified", c.register(attempts[i]), true)
		}
		for i, a := range c.next.nodes {
			c.arrivedLast(t, i, a)
			equal(t, "holdings", a.Holdings().Len(), 2)
			equal(t, "in work", len(a.resharer.intakes.work), 0)
			if highest, _ := a.dealer.completed(c.id); highest != 2 {
				t.Errorf("highest is %d", highest)
			}
			a.restart()
			if highest, _ := a.dealer.completed(c.id); highest != 2 || a.Holdings().Len() != 2 {
				t.Errorf("highest after a restart is %d", highest)
			}
		}
		c.next.signed(t, c.entry, 0, 2)
	}
}

// reshareMatrix is the table of moves once more, as in moves_test.go.
var reshareMatrix = []string{
	// I W G V C R F A     idle, waiting, gathering, verifying, certifying, rebuilding, finished, aborted
	"· W · · · R F A", // idle: an entry shows it; aborted where another process certified
	"· · G · · R · A", // waiting
	"· · · V · R · A", // gathering
	"· · · · C R · A", // verifying
	"· · · · · · F A", // certifying
	"· · · · · · F A", // rebuilding
	"· · · · · · · ·", // complete
	"· · · · · · · ·", // aborted: an entry begins anew
}

func TestReshareMoves(t *testing.T) {
	equal(t, "phases", len(reshareMatrix), int(reshareAborted)+1)
	walk(t, reshareMatrix, func(from, to int) int {
		b := &intake{node: &resharer{nodeCore: &nodeCore{}}, phase: resharePhase(from)}
		b.to(resharePhase(to))
		return int(b.phase)
	})
}

// Every event in every phase: no step panics, and no phase is left by a move that the table
// does not have.
func TestEveryEventInEveryResharePhase(t *testing.T) {
	late := &fault{wire.CodeInternal, "late", -1}
	ref := func(c *crossing) wire.BatchRef { return wire.BatchRef{ID: c.id, Generation: 1} }
	in := func(c *crossing) *intake { return c.next.nodes[0].resharer.intakes.work[ref(c)] }
	events := map[string]func(c *crossing, r *wire.Reshare) []Event{
		"task": func(c *crossing, _ *wire.Reshare) []Event {
			return []Event{TaskMessage{c.old.work[len(c.old.work)-1], t0}}
		},
		"certify failed": func(c *crossing, _ *wire.Reshare) []Event {
			return []Event{CertifyFailed{ref(c), wire.CodeInternal, fmt.Errorf("full")}}
		},
		"slot lost": func(_ *crossing, r *wire.Reshare) []Event {
			return []Event{SlotLost{wire.Slot{Kind: wire.SlotReshareCert, ID: r.ID()}}}
		},
		"ticks": func(*crossing, *wire.Reshare) []Event {
			return []Event{Tick{t0.Add(time.Minute)}, Tick{t0.Add(2 * boardLife)}}
		},
		"rounds":   func(*crossing, *wire.Reshare) []Event { return []Event{RoundsLost{}} },
		"fork":     func(c *crossing, _ *wire.Reshare) []Event { return []Event{LineageChanged{c.forked()}} },
		"verified": func(c *crossing, _ *wire.Reshare) []Event { return []Event{resharedVerified{b: in(c), fault: late}} },
		"rebuilt":  func(c *crossing, _ *wire.Reshare) []Event { return []Event{reshareRebuilt{b: in(c), fault: late}} },
		"entry": func(c *crossing, r *wire.Reshare) (all []Event) {
			head, deals := c.assemble(r)
			for i, data := range append([][]byte{wire.Encode(head)}, deals...) {
				subject := wire.EntryHeadSubject(c.id, 1)
				if i > 0 {
					subject = wire.EntryDealSubject(c.id, 1, i-1)
				}
				all = append(all, ReadKeys(c.old.lineage, wire.LogMessage{Subject: subject, Seq: uint64(100 + i), Data: data}))
			}
			return all
		},
		"entry before": func(c *crossing, _ *wire.Reshare) (all []Event) {
			for _, m := range c.old.keys {
				all = append(all, ReadKeysAgain(c.old.lineage, m))
			}
			return all
		},
		"rounds again": func(c *crossing, _ *wire.Reshare) (all []Event) {
			for _, m := range c.old.dkg {
				all = append(all, RoundsAgain{m})
			}
			return all
		},
		"again": func(c *crossing, _ *wire.Reshare) []Event {
			return []Event{c.next.nodes[0].store[keptAs(ref(c))].again(0)}
		},
		"end": func(*crossing, *wire.Reshare) []Event { return []Event{Stop{}} },
	}
	for name, event := range events {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for phase := reshareIdle; phase <= reshareRebuilding; phase++ {
				c := standard(t)
				r := c.open(c.attempt(1, 0, 1))
				c.publish()
				b := in(c)
				evs := event(c, r)
				a := c.next.nodes[0]
				b.phase, a.hold, a.out = phase, true, nil
				n := a.resharer
				n.intakes.board.Open(*r, c.old.m, c.next.m, n.openerOf(c.old.m), n.opener)
				for _, ev := range evs {
					a.do(ev) // to() panics on an illegal move
				}
				if phase == reshareCertifying && b.phase == reshareAborted && name != "certify failed" {
					t.Errorf("%s makes a node give up what it may have certified", name)
				}
			}
		})
	}
}

// The bound on what is remembered of slots, by dealer.
func TestEarlyDeals(t *testing.T) {
	e := earlyDeals{}
	slot := func(i, node int) wire.Slot {
		return wire.Slot{Kind: wire.SlotReshareDeal, ID: fmt.Sprint(i), Node: node}
	}
	e.put(slot(0, 0), t0)
	e.put(slot(0, 0), t0)
	if !e.has(slot(0, 0), t0) || e.has(slot(1, 0), t0) || e.has(slot(0, 1), t0) {
		t.Error("not what came")
	}
	for i := range 2 * maxEarly {
		e.put(slot(i, 0), t0)
	}
	e.put(slot(0, 1), t0)
	equal(t, "remembered", len(e[0].ids)+len(e[0].order), 2*maxEarly)
	if !e.has(slot(-1, 0), t0.Add(boardLife-1)) || e.has(slot(-1, 0), t0.Add(boardLife)) {
		t.Error("what was forgotten is no reason to doubt, or is for ever")
	}
	if e.has(slot(-1, 1), t0) {
		t.Error("one dealer's flood makes another's deals doubtful")
	}
}

// Later generations are found by their public parts as the first is.
func TestPublicOf(t *testing.T) {
	c := newCrossing(t, "solana", [2]int{2, 3}, [2]int{3, 4})
	r := c.cross(1, 0, 2)
	var e *wire.Entry
	var raw [][]byte
	for _, m := range c.next.keys {
		switch {
		case m.Subject == wire.EntryHeadSubject(c.id, 1):
			e = must(wire.VerifyEntry(m.Data, c.next.lineage))
		case strings.HasPrefix(m.Subject, fmt.Sprintf("entry.%s.1.deal", c.id)):
			raw = append(raw, m.Data)
		}
	}
	public := must(PublicOf(c.next.lineage, e, raw))
	record := c.next.nodes[0].store[keptAs(wire.BatchRef{ID: c.id, Generation: r.To})]
	if string(public.Commitments) != string(record.Batch.Commitments) {
		t.Error("other commitments than a node's")
	}
	bad := *e
	bad.Root[0]++
	if _, err := PublicOf(c.next.lineage, &bad, raw); err == nil {
		t.Error("keys that do not follow from the deals")
	}
	for name, fails := range map[string]func() (*frost.Public, error){
		"junk":  func() (*frost.Public, error) { return PublicOf(c.next.lineage, e, [][]byte{raw[0], []byte("junk")}) },
		"order": func() (*frost.Public, error) { return PublicOf(c.next.lineage, e, [][]byte{raw[1], raw[0]}) },
	} {
		if p, err := fails(); err == nil && string(p.Commitments) != string(public.Commitments) {
			t.Errorf("%s: other commitments, and no error", name)
		}
	}
}
