package protocol

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// astride is alice's two batches of one key each in the middle of a change: old nodes alone
// have the shares of one, new nodes sign with the other, which has moved to them or was made
// there. Bob has a batch with the old nodes.
type astride struct {
	*crossing
	here, there, bob string
}

// arrivals are the ways in which a batch comes to the new nodes.
var arrivals = []string{"moved", "made"}

func newAstride(t testing.TB, chain, arrival string) *astride {
	t.Helper()
	old := newFleet(t, 2, 3).start()
	s := &astride{}
	for i, client := range []string{"alice", "alice", "bob"} {
		old.desk.arrive(old.keygen(i+1, client, chain, 1), nil)
		old.drain()
		*[]*string{&s.there, &s.here, &s.bob}[i] = old.desk.finished[i].Result.Batches[0].ID
	}
	old.desk = nil
	s.crossing = &crossing{old: old, next: continued(t, old, 2, 3), t: t, id: s.there}
	for _, m := range old.keys {
		if m.Subject == wire.EntryHeadSubject(s.there, 0) {
			s.entry = must(wire.VerifyEntry(m.Data, old.m))
		}
	}
	s.join(must(wire.NewLineage(old.m).WithSuccession(old.succession(s.next.m, false, old.everyone()...))))
	if arrival == "moved" {
		s.cross(1, 0, 1)
	} else {
		s.next.desk = s.next.newDesk()
		s.next.desk.arrive(s.next.keygen(4, "alice", chain, 1), nil)
		s.next.drain()
		s.there = s.next.desk.result().Batches[0].ID
		s.next.desk = nil
	}
	s.gateway()
	for _, a := range s.nodes() {
		a.out, a.reports, a.fetch, a.timers = nil, nil, nil, nil
	}
	return s
}

// named is a view of the old fleet in which the Bitcoin keys are those of one batch.
func (s *astride) named(batch string) aged {
	f := *s.old
	f.keys = slices.Concat(s.old.keys, s.next.keys)
	return aged{fleet: &f, btc: batch}
}

func (s *astride) root(batch string) derive.Key {
	for _, m := range s.old.keys {
		if e, err := wire.VerifyEntry(m.Data, s.old.lineage); err == nil && e.ID == batch {
			return derive.Key{Suite: 1, PublicKey: e.Keys[0].PublicKey, ChainCode: e.Keys[0].ChainCode}
		}
	}
	s.t.Fatalf("no entry of %s", batch)
	return derive.Key{}
}

// spending is a job whose PSBT spends an input of each batch, all of it to somebody.
func (s *astride) spending(n, amount int, batches ...string) (*packet, wire.SignedJob) {
	var p *packet
	var keys []wire.SignKey
	for _, id := range batches {
		f := s.named(id)
		f.m = s.manifestOf(id)
		if p == nil {
			p = f.packet()
		}
		p.f = f
		p.spend(0, derive.Path{0, uint32(n)}, int64(amount))
		keys = append(keys, keysOf(id, 0)...)
	}
	p.pay(payee(), int64(amount*len(batches)-1000))
	return p, s.old.request(n, func(j *wire.Job) { j.PSBT, j.Keys, j.Finalize = p.bytes(), keys, true })
}

// manifestOf is the one that a batch was made under.
func (s *astride) manifestOf(batch string) *wire.Manifest {
	for _, m := range s.old.keys {
		if m.Subject == wire.EntryHeadSubject(batch, 0) && must(wire.VerifyEntry(m.Data, s.old.lineage)).Manifest == s.next.m.Hash() {
			return s.next.m
		}
	}
	return s.old.m
}

// toil has everybody work and look for keys again, but for those that stand by, until nobody
// wants anything.
func (s *astride) toil() {
	for busy := true; busy; {
		s.crossing.run()
		busy = false
		for _, a := range s.nodes() {
			timers := a.timers
			a.timers = nil
			for _, timer := range timers {
				if timer.Kind == timerLoad {
					busy = true
					a.do(timer)
				}
			}
		}
	}
}

func (s *astride) ends(job wire.SignedJob) *wire.Result {
	s.t.Helper()
	d := s.old.desk
	d.finished = nil
	d.arrive(job, nil)
	s.toil()
	return d.result()
}

func (s *astride) signed(job wire.SignedJob) *wire.Result {
	s.t.Helper()
	r := s.ends(job)
	if r.Status != wire.StatusDone {
		s.t.Fatalf("%s: %s: %s; %v", r.Status, r.Code, r.Error, s.reports())
	}
	return r
}

// task posts a sign task as a gateway that lies may.
func (s *astride) task(f *fleet, n int, job wire.SignedJob, items ...uint32) (id string) {
	task := wire.SignTask(job, 0, items, nil).For(f.m)
	s.old.task(task, jobID(n))
	for range 2 * loadRetries {
		for _, a := range f.nodes {
			timers := a.timers
			a.timers = nil
			for _, timer := range timers {
				a.do(timer)
			}
		}
	}
	return wire.ShortID(task.Session(f.m))
}

func (s *astride) fetched(f *fleet) (most int) {
	for _, a := range f.nodes {
		most = max(most, len(a.fetch))
	}
	return most
}

// A PSBT and a Solana transaction whose keys are with the nodes of two manifests are signed by
// both, each of which reads all of it.
func TestRequestOfTwoGenerations(t *testing.T) {
	for _, arrival := range arrivals {
		t.Run("bitcoin "+arrival, func(t *testing.T) {
			s := newAstride(t, "bitcoin", arrival)
			for n := 10; n < 12; n++ {
				p, job := s.spending(n, 50_000, s.here, s.there)
				r := s.signed(job)
				p.accepts(r.Transaction)
				equal(t, "attempts", r.Attempts, 2)
			}
			// The second job is read without asking KEYS again.
			want := map[string]int{"moved": 0, "made": 1}[arrival]
			equal(t, "read from KEYS by old nodes", s.fetched(s.old), want)
			equal(t, "read from KEYS by new nodes", s.fetched(s.next), 1)
		})
		t.Run("solana "+arrival, func(t *testing.T) {
			s := newAstride(t, "solana", arrival)
			first, second := s.root(s.here).PublicKey, s.root(s.there).PublicKey
			raw := transfer(first, second)
			r := s.signed(s.old.request(10, func(j *wire.Job) {
				j.SolanaTransaction, j.Keys = raw, append(keysOf(s.there, 0), keysOf(s.here, 0)...)
			}))
			signed := must(base64.StdEncoding.DecodeString(r.Transaction))
			for i, key := range [][]byte{first, second} {
				if !ed25519.Verify(key, raw[1+2*64:], signed[1+64*i:][:64]) {
					t.Errorf("signer %d did not sign", i)
				}
			}
		})
	}
}

// An old node that lost a batch which has moved still reads requests that name its key.
func TestRequestOfAMovedKeyThatIsGone(t *testing.T) {
	s := newAstride(t, "bitcoin", "moved")
	for _, a := range s.old.nodes {
		delete(a.store, keptAs(wire.BatchRef{ID: s.there}))
	}
	p, job := s.spending(10, 50_000, s.here, s.there)
	p.accepts(s.signed(job).Transaction)
	id := s.task(s.old, 11, s.second(11), 1)
	for _, code := range s.old.refusals(id) {
		equal(t, "code", code, wire.CodeMoved)
	}
	equal(t, "commitments", s.old.commits(id), 0)
}

// second is a job of which signature 1 is of the batch that is there.
func (s *astride) second(n int) wire.SignedJob {
	_, job := s.spending(n, 50_000, s.here, s.there)
	return job
}

// A gateway lists a signature for nodes that have only the public parts of its key: they draw
// nothing, and refuse.
func TestTaskOfAPublicKey(t *testing.T) {
	s := newAstride(t, "bitcoin", "made")
	n := 20
	for _, one := range []struct {
		of    *fleet
		items []uint32
	}{{s.next, []uint32{0}}, {s.next, []uint32{0, 1}}, {s.old, []uint32{1}}, {s.old, []uint32{0, 1}}} {
		n++
		id := s.task(one.of, n, s.second(n), one.items...)
		codes := one.of.refusals(id)
		if len(codes) < one.of.m.T || one.of.commits(id) != 0 {
			t.Errorf("%v: refusals %v, %d commitments", one.items, codes, one.of.commits(id))
		}
		for _, code := range codes {
			equal(t, "code", code, wire.CodeUnknownKey)
		}
	}
	for _, a := range s.nodes() {
		drawn, _, _ := a.NonceCounts()
		equal(t, "nonces", drawn, 0)
	}
}

// A client names a key of somebody else's that is with other nodes.
func TestForeignKeyElsewhere(t *testing.T) {
	s := newAstride(t, "bitcoin", "moved")
	_, job := s.spending(10, 50_000, s.there, s.bob)
	id := s.task(s.next, 10, job, 0)
	codes := s.next.refusals(id)
	equal(t, "refusals", fmt.Sprint(codes[:2]), fmt.Sprint([]wire.Code{wire.CodeNotOwner, wire.CodeNotOwner}))
	equal(t, "commitments", s.next.commits(id), 0)
	equal(t, "read from KEYS", s.fetched(s.next), 1)
	for _, a := range s.next.nodes { // it is no way to have KEYS read for ever
		equal(t, "asked again", a.heads.ask(s.bob, "alice", s.next.now.Add(headMissed-1)), false)
	}
}

// naming is a job of alice's that names a key that is there, and some that nobody has.
func (s *astride) naming(n int, first string, unknown int) wire.SignedJob {
	keys := keysOf(first, 0)
	for i := range unknown {
		keys = append(keys, keysOf(fmt.Sprintf("%016x%016x", n, i), 0)...)
	}
	p, _ := s.spending(n, 50_000, s.here)
	return s.old.request(n, func(j *wire.Job) { j.PSBT, j.Keys = p.bytes(), keys })
}

// Jobs that name unknown keys have KEYS read for some, and then for no more for a while.
func TestUnknownKeysFlood(t *testing.T) {
	s := newAstride(t, "bitcoin", "moved")
	id := s.task(s.next, 29, s.naming(29, s.bob, 99), 0) // no key of alice's that is there
	equal(t, "refuse", s.next.refusals(id)[0], wire.CodeUnknownKey)
	equal(t, "read from KEYS", s.fetched(s.next), 0)
	for n := 30; n < 33; n++ {
		id := s.task(s.next, n, s.naming(n, s.there, 99), 0)
		for _, code := range s.next.refusals(id) {
			equal(t, "code", code, wire.CodeUnknownKey)
		}
	}
	equal(t, "read from KEYS", s.fetched(s.next), maxHeadsOf)

	s.tick(headMissed)
	for _, a := range s.next.nodes {
		equal(t, "remembered", len(a.heads.asked)+len(a.heads.open), 0)
	}
	p, job := s.spending(40, 50_000, s.here, s.there)
	p.accepts(s.signed(job).Transaction)
}

// KEYS shows the entry late: the next attempt signs.
func TestHeadThatComesLate(t *testing.T) {
	s := newAstride(t, "bitcoin", "moved")
	for _, a := range s.next.nodes {
		a.reads = false
	}
	id := s.task(s.next, 10, s.second(10), 1)
	equal(t, "refuse", s.next.refusals(id)[0], wire.CodeUnknownKey)
	for _, a := range s.next.nodes {
		a.reads = true
		for _, batch := range a.fetch {
			a.readAgain(Refetch{ID: batch, Register: true, Heads: true})
		}
	}
	id = s.task(s.next, 11, s.second(11), 1)
	if s.next.commits(id) < s.next.m.T {
		t.Errorf("refusals: %v", s.next.refusals(id))
	}
}

// What is remembered of other nodes' batches has bounds, and a head of other keys is noticed.
func TestPublicHeadsAreBounded(t *testing.T) {
	h, now := newPublicHeads(), t0
	entry := func(i, keys int) *wire.Entry {
		e := &wire.Entry{ID: fmt.Sprintf("%032x", i), MadeBy: [32]byte{byte(i)}}
		e.Header.Client, e.Header.Suite = "alice", 1
		e.Keys = make([]wire.EntryKey, keys)
		return e
	}
	h.put(entry(0, 1))
	equal(t, "nobody asked", len(h.of), 0)
	for i := range 1000 {
		equal(t, "ask", h.ask(entry(i, 0).ID, "alice", now), true)
		equal(t, "ask twice", h.ask(entry(i, 0).ID, "bob", now), false)
		equal(t, "put", h.put(entry(i, 1000)), true)
		now = now.Add(headFound)
		h.expire(now)
	}
	if h.bytes > maxHeadBytes || h.bytes < maxHeadBytes/2 || len(h.of) != len(h.oldest) || len(h.asked) > 0 {
		t.Errorf("%d bytes, %d heads, %d asked", h.bytes, len(h.of), len(h.asked))
	}
	other := entry(999, 1)
	other.MadeBy[1] = 1
	equal(t, "other keys", h.put(other), false)
	equal(t, "the same keys", h.put(entry(999, 1000)), true)
	equal(t, "beyond the batch", h.of[other.ID].key(1000) == nil, true)
	for i := range 2 * maxHeads {
		h.ask(fmt.Sprint(i), fmt.Sprint("client ", i/maxHeadsOf/2), now)
	}
	equal(t, "asked", len(h.asked), maxHeads)
	equal(t, "of one", h.open["client 0"], maxHeadsOf)
	h.expire(now.Add(-time.Hour)) // a clock that was set
	equal(t, "asked after the clock was set", len(h.asked), 0)
}

// Other keys than a head that was read for a request had: the batch is refused.
func TestHeadOfOtherKeys(t *testing.T) {
	s := newAstride(t, "bitcoin", "moved")
	s.signed(s.second(10))
	a := s.next.nodes[0]
	a.heads.of[s.bob] = &publicHead{owner: "bob"}
	a.readAgain(Refetch{ID: s.bob, Register: true})
	equal(t, "report", a.expect(ReportConflict).ID, s.bob)
	equal(t, "refused", a.refused[s.bob], true)
}

// rule gives all nodes a policy with a ledger of their own; in one process those of the same
// index of both manifests have one.
func (s *astride) rule(text string, oneProcess bool) {
	for i, a := range s.nodes() {
		if a.govern(text); oneProcess && i >= len(s.old.nodes) {
			of := s.old.nodes[i-len(s.old.nodes)]
			a.rules, a.ledger = of.rules, of.ledger
			a.restart()
		}
		a.out, a.timers, a.fetch = nil, nil, nil
	}
}

// A job that both members of a process sign is judged as a whole and charged once.
func TestJobOfTwoManifestsIsChargedOnce(t *testing.T) {
	s := newAstride(t, "bitcoin", "moved")
	s.rule(daily(100_000), true)
	p, job := s.spending(10, 30_000, s.here, s.there)
	p.accepts(s.signed(job).Transaction) // 60,000 satoshis
	p, job = s.spending(11, 20_000, s.here, s.there)
	p.accepts(s.signed(job).Transaction) // twice 60,000 would have been too much
	_, job = s.spending(12, 1_000, s.here, s.there)
	r := s.ends(job)
	equal(t, "a job beyond the limit", r.Code, wire.CodePolicyDenied)

	s = newAstride(t, "bitcoin", "moved")
	s.rule(daily(50_000), true)
	_, job = s.spending(10, 30_000, s.here, s.there) // each manifest's own half would be allowed
	equal(t, "half by half", s.ends(job).Code, wire.CodePolicyDenied)
}

// Nodes that others leave out count the job, though some of its keys are not theirs.
func TestNodesLeftOutCountOthersKeys(t *testing.T) {
	for _, arrival := range arrivals {
		s := newAstride(t, "bitcoin", arrival)
		s.rule(daily(100_000), false)
		_, job := s.spending(10, 30_000, s.here, s.there)
		s.signed(job)
		for i, a := range s.nodes() {
			if !a.ledger.Charged(job.Digest(s.old.m)) {
				t.Errorf("%s: node %d did not count the job", arrival, i)
			}
		}
	}
}
