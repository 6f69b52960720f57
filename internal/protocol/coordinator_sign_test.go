package protocol

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signCase is a sign job at the gateway, its task published.
type signCase struct {
	aged
	job wire.SignedJob
}

func newSignCase(t testing.TB, items ...wire.JobItem) *signCase {
	f := agedFleet(t)
	if items == nil {
		items = []wire.JobItem{item(f.btc, 0, "one"), item(f.btc, 1, "two")}
	}
	s := &signCase{f, f.signing(9, "alice", items...)}
	f.desk.arrive(s.job, nil)
	f.drainTasks()
	return s
}

func (s *signCase) attempt() *attempt {
	return s.desk.signing.jobs[s.desk.jobs[jobKey("alice", jobID(9))]].last()
}

// members publishes the commitments of the first rank and returns who they are.
func (s *signCase) members() []int {
	var nodes []int
	for i, a := range s.nodes {
		if slices.ContainsFunc(a.out, func(w wish) bool { return w.slot.Kind == wire.SlotCommit }) {
			s.let(i, wire.SlotCommit)
			nodes = append(nodes, i)
		}
	}
	return nodes
}

// done ends the test if the job's signatures do not verify.
func (s *signCase) done(attempts int) *wire.Result {
	s.t.Helper()
	r := s.desk.result()
	if r.Status != wire.StatusDone {
		s.t.Fatalf("%s: %s", r.Code, r.Error)
	}
	job, _ := s.job.Parse(s.now)
	for i, sig := range r.Sigs {
		err := client.VerifySignature(r.Suite, sig.PublicKey, job.Items[i].Message, sig.Signature)
		if err != nil || sig.Key != job.Items[i].Key {
			s.t.Fatalf("signature %d: %v", i, err)
		}
	}
	equal(s.t, "signatures", len(r.Sigs), len(job.Items))
	equal(s.t, "attempts", r.Attempts, attempts)
	equal(s.t, "left", s.desk.Jobs()+len(s.desk.signing.attempts), 0)
	return r
}

func TestSignJob(t *testing.T) {
	f := agedFleet(t)
	root := item(f.btc, 1, "script")
	root.ScriptRoot = bytes.Repeat([]byte{7}, 32)
	for name, items := range map[string][]wire.JobItem{
		"bitcoin":  {item(f.btc, 0, "a"), root},
		"solana":   {item(f.sol, 0, "a"), {Key: wire.KeyID{Batch: f.sol, Index: 1}.String(), Message: []byte("b")}},
		"same key": {item(f.btc, 0, "a"), item(f.btc, 0, "a"), item(f.btc, 0, "b")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSignCase(t, items...)
			s.drain()
			s.done(1)
		})
	}
}

// A key that is asked for while KEYS is still being read is looked up on its own,
// once. That there is no such key is said only when all was read.
func TestKeyWantedBeforeItsTurn(t *testing.T) {
	f := agedFleet(t)
	f.desk = f.newReader()
	job := f.signing(9, "alice", item(f.btc, 0, "a"))
	f.desk.arrive(job, nil)
	f.desk.timeout(timerLoad)
	equal(t, "looked up", fmt.Sprint(f.desk.fetch), fmt.Sprint([]string{f.btc}))
	for _, m := range f.keys {
		if strings.Contains(m.Subject, f.btc) {
			f.desk.do(ReadKeys(f.m, m))
		}
	}
	f.desk.timeout(timerLoad)
	f.drain()
	(&signCase{aged: f, job: job}).done(1)

	unknown := f.signing(10, "alice", wire.JobItem{Key: wire.KeyID{Batch: strings.Repeat("0", 32), Index: 0}.String(), Message: bytes.Repeat([]byte{1}, 32)})
	f.desk.finished = nil
	f.desk.arrive(unknown, nil)
	for range 2 * loadRetries {
		f.desk.timeout(timerLoad)
	}
	equal(t, "answers before all is read", len(f.desk.finished), 0)
	f.desk.do(KeysRead{})
	for range loadRetries {
		f.desk.timeout(timerLoad)
	}
	equal(t, "code", f.desk.result().Code, wire.CodeUnknownKey)
	equal(t, "remembered", len(f.desk.directory.fetchFirst), 0)
}

// Each client has its turn, and a job whose keys are not there takes no place.
func TestBulkPlacesAreShared(t *testing.T) {
	f := agedFleet(t)
	f.desk.signing.traffic.bulk.window = newWindow(2, 2)
	bulk := func(n int, client, batch string) wire.SignedJob {
		var items []wire.JobItem
		for i := range wire.InteractiveItems + 1 {
			items = append(items, item(batch, 0, fmt.Sprint(n, i)))
		}
		return f.signing(n, client, items...)
	}
	f.desk.arrive(bulk(20, "alice", strings.Repeat("0", 32)), nil)
	equal(t, "places of a job without keys", f.desk.signing.traffic.bulk.flying, 0)
	for n := range 4 {
		f.desk.arrive(bulk(21+n, "alice", f.btc), nil)
	}
	f.desk.arrive(bulk(30, "bob", f.bob), nil)
	flies := func(client string, n int) bool {
		return f.desk.signing.jobs[f.desk.jobs[jobKey(client, jobID(n))]].place == flying
	}
	equal(t, "bob's, before there is a place", flies("bob", 30), false)
	for n := range 3 {
		f.desk.giveUp("alice", 21+n)
	}
	equal(t, "bob's", flies("bob", 30), true)
	equal(t, "the last of alice's", flies("alice", 24), true)
}

// Bulk sign jobs wait for a place, and small ones do not. Each that ends, however
// it does, gives its place to the next.
func TestBulkSignJobsWait(t *testing.T) {
	f := agedFleet(t)
	f.desk.signing.traffic.bulk.window = newWindow(1, 1)
	bulk := func(n int) wire.SignedJob {
		var items []wire.JobItem
		for i := range wire.InteractiveItems + 1 {
			items = append(items, item(f.btc, 0, fmt.Sprint(n, i)))
		}
		return f.signing(n, "alice", items...)
	}
	for n := range 3 {
		f.desk.arrive(bulk(20+n), nil)
	}
	equal(t, "tasks of bulk jobs", len(f.desk.tasks), 1)
	f.desk.arrive(f.signing(9, "alice", item(f.btc, 0, "small")), nil)
	equal(t, "and of a small one", len(f.desk.tasks), 2)
	f.desk.giveUp("alice", 20)
	equal(t, "places taken by the second", f.desk.signing.traffic.bulk.flying, 1)
	equal(t, "waiting", f.desk.signing.traffic.bulk.queue.waiting(), 1)
	f.now = f.now.Add(11 * time.Minute)
	f.desk.do(Tick{f.now}) // all expire
	equal(t, "places taken", f.desk.signing.traffic.bulk.flying, 0)
	equal(t, "waiting", f.desk.signing.traffic.bulk.queue.waiting(), 0)
	f.desk.arrive(bulk(30), nil)
	equal(t, "places taken by a new one", f.desk.signing.traffic.bulk.flying, 1)
}

// giveUp ends a job in work, by its expiry.
func (d *desk) giveUp(client string, n int) {
	j := d.jobs[jobKey(client, jobID(n))]
	expires := j.until
	j.until = d.f.now.Add(-time.Second)
	d.do(Tick{d.f.now})
	j.until = expires
}

// A node that was missing once is asked again when the others do not suffice.
func TestMissingNodeIsAskedAgain(t *testing.T) {
	s := newSignCase(t)
	members := s.members()
	s.let(members[1], wire.SlotShare) // the other one sends none, and is missing
	s.desk.timeout(timerLate)
	s.drainTasks()
	equal(t, "excluded", fmt.Sprint(s.attempt().commits.exclude), fmt.Sprint([]uint8{uint8(members[0])}))
	s.desk.timeout(timerLate) // and those who are left do not answer
	equal(t, "excluded", len(s.attempt().commits.exclude), 0)
}

// A wrong share is blamed on its node; the next attempt is without it and
// signs what is left, for good.
func TestWrongShare(t *testing.T) {
	for name, bend := range map[string]func(*wire.ShareBody){
		"one item":  func(b *wire.ShareBody) { b.Shares[40] ^= 1 },
		"all items": func(b *wire.ShareBody) { b.Shares[20] ^= 1; b.Shares[40] ^= 1 },
		"too short": func(b *wire.ShareBody) { b.Shares = b.Shares[1:] },
		"too long":  func(b *wire.ShareBody) { b.Shares = append(b.Shares, 0) },
		"none":      func(b *wire.ShareBody) { b.Shares = nil },
		"session":   func(b *wire.ShareBody) { b.Session[0]++ },
		"zeros":     func(b *wire.ShareBody) { clear(b.Shares) },
		"overflow":  func(b *wire.ShareBody) { copy(b.Shares, bytes.Repeat([]byte{0xff}, 32)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSignCase(t)
			bad := s.members()[0]
			w := s.nodes[bad].want(wire.SlotShare)
			var b wire.ShareBody
			s.check(wire.Decode(w.body, wire.MaxMessageSize, &b))
			bend(&b)
			s.say(w.slot, wire.Encode(&b))
			s.nodes[bad].out = nil
			s.drain()
			task := s.lastTask()
			equal(t, "attempt", task.Attempt, 1)
			equal(t, "excluded", fmt.Sprint(task.Exclude), fmt.Sprint([]uint8{uint8(bad)}))
			if name == "one item" && !slices.Equal(task.Items, []uint32{1}) {
				t.Errorf("asks for items %v again", task.Items)
			}
			s.done(2)
			for _, r := range s.desk.reports {
				if r.What == ReportRetry {
					equal(t, "culprit", r.Culprit, bad)
				}
			}
			code := BlameShare
			if slices.Contains([]string{"too short", "too long", "none", "session"}, name) {
				code = BlameShareForm
			}
			blamed := s.desk.told(ReportBlamed) // once, however many items are wrong
			if len(blamed) != 1 || blamed[0].Culprit != bad || blamed[0].Code != code {
				t.Errorf("blamed: %v, want node %d for %s once", blamed, bad, code)
			}
		})
	}
}

func (s *signCase) lastTask() *wire.Task {
	m := s.work[len(s.work)-1]
	var e wire.Envelope
	s.check(wire.Decode(m.Data, 2<<20, &e))
	return must(wire.DecodeTask(e.Body, s.m))
}

// A member that sends no share in time sits the next attempt out, and is back
// once its share arrives.
func TestMissingShare(t *testing.T) {
	s := newSignCase(t)
	members := s.members()
	first := s.attempt()
	late := s.nodes[members[0]].want(wire.SlotShare)
	s.nodes[members[0]].out = nil
	s.let(members[1], wire.SlotShare)
	s.desk.timeout(timerLate)
	run := first.job
	equal(t, "missing", fmt.Sprint(s.desk.met(run).missing), fmt.Sprint(map[int]int{members[0]: 1}))
	s.say(late.slot, late.body)
	equal(t, "missing after its share came", len(s.desk.met(run).missing), 0)
	s.drain()
	equal(t, "excluded", fmt.Sprint(s.lastTask().Exclude), fmt.Sprint([]uint8{uint8(members[0])}))
	s.done(2)
}

// A late attempt is not given up when another is opened beside it: if its last
// share comes after all, it counts, and the other one's signatures are not needed.
func TestLateAttemptIsAnswered(t *testing.T) {
	s := newSignCase(t)
	members := s.members()
	late := s.nodes[members[0]].want(wire.SlotShare)
	s.nodes[members[0]].out = nil
	s.let(members[1], wire.SlotShare)
	s.desk.timeout(timerLate)
	s.drainTasks() // the second attempt begins
	s.say(late.slot, late.body)
	s.done(2)
	s.drain()
	equal(t, "results", len(s.desk.finished), 1)
}

// A node that kept its share to itself sits out in the next job too, and takes part
// again after a while. It sits out of no job that needs it.
func TestStandingHoldsForOtherJobs(t *testing.T) {
	s := newSignCase(t)
	members := s.members()
	s.nodes[members[0]].out = nil
	s.let(members[1], wire.SlotShare)
	s.desk.timeout(timerLate)
	s.drain()
	s.done(2)
	excluded := func(n int) []uint8 {
		s.desk.arrive(s.signing(n, "alice", item(s.btc, 0, "next")), nil)
		s.drain()
		return s.lastTask().Exclude
	}
	equal(t, "sits out", fmt.Sprint(excluded(10)), fmt.Sprint([]uint8{uint8(members[0])}))
	s.now = s.now.Add(10 * time.Second)
	s.desk.do(Tick{s.now})
	equal(t, "sits out after a while", fmt.Sprint(excluded(11)), "[]")
	for node := range s.m.N {
		s.desk.view().nodes.missed(node, s.now)
	}
	equal(t, "sit out though all are late", len(excluded(12)), s.m.N-s.m.T)
}

// While nobody answers, nobody in particular is late: what was lost, or slow, is
// the bus. Attempts beside others are bounded by the budget.
func TestNobodyIsSuspected(t *testing.T) {
	f := agedFleet(t)
	opened := func(a *signJobs) (n int) {
		for _, j := range a.jobs {
			n += len(j.attempts)
		}
		return n
	}
	const jobs = 14
	for i := range jobs {
		f.desk.arrive(f.signing(20+i, "alice", item(f.btc, 0, fmt.Sprint(i))), nil)
	}
	f.drainTasks()
	for _, a := range f.nodes {
		a.out = nil
	}
	for range 5 {
		for _, timer := range slices.Clone(f.desk.timers) {
			if timer.Kind == timerLate {
				f.desk.do(timer)
			}
		}
		f.drainTasks()
		for _, a := range f.nodes {
			a.out = nil
		}
	}
	equal(t, "attempts", opened(f.desk.signing), jobs+maxRetries)
	equal(t, "left of the budget", f.desk.Demand().Retries, 0)
	for node := range f.m.N {
		equal(t, "sits out", f.desk.view().nodes.out(node), false)
	}
}

// Another gateway's task stands where this one's should: this attempt will never
// be seen, and the next is opened at once.
func TestTaskOfAnotherGatewayStands(t *testing.T) {
	f := agedFleet(t)
	s := &signCase{f, f.signing(9, "alice", item(f.btc, 0, "one"))}
	s.desk.arrive(s.job, nil)
	other := wire.SignTask(s.job, 0, []uint32{0}, []uint8{3})
	s.task(other, jobID(9))
	equal(t, "attempts", s.attempt().number, 1)
	for _, a := range s.nodes {
		a.out = nil
	}
	s.drain()
	s.done(2)
}

// No set comes about in time: the next attempt asks everybody again.
func TestNoCommitments(t *testing.T) {
	s := newSignCase(t)
	for _, a := range s.nodes {
		a.out = nil
	}
	s.desk.timeout(timerLate)
	s.desk.do(Timer{s.desk.timers[0].ID, timerLate}) // of the attempt that was given up
	s.drain()
	equal(t, "excluded", len(s.lastTask().Exclude), 0)
	s.done(2)
}

// Nobody ever answers: attempts go on, at longer and longer intervals, until the job's time is up. It ends with a
// sentence.
func TestNobodyAnswers(t *testing.T) {
	s := newSignCase(t)
	for tries := 1; tries < 40; tries++ {
		for _, a := range s.nodes {
			a.out = nil
		}
		equal(t, "attempts", len(s.desk.signing.jobs[s.desk.jobs[jobKey("alice", jobID(9))]].attempts), tries)
		s.desk.timeout(timerOver)
		equal(t, "in flight while it waits", s.desk.signing.traffic.small.flying, 0)
		s.desk.timeout(timerRetry)
		s.drainTasks()
	}
	equal(t, "ended", len(s.desk.finished), 0)
	s.desk.giveUp("alice", 9)
	r := s.desk.result()
	if r.Code != wire.CodeSigningFailed || !strings.Contains(r.Error, "expired before 2 of 2 signatures were made") {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
	equal(t, "left", s.desk.Jobs()+len(s.desk.signing.attempts), 0)
}

// Too many are proven faulty for t to be left.
func TestTooManyFaulty(t *testing.T) {
	s := newSignCase(t)
	for range 3 {
		bad := s.members()[0]
		s.nodes[bad].out = nil
		s.say(wire.Slot{Kind: wire.SlotShare, ID: s.attempt().id, Node: bad}, []byte("x"))
		s.drainTasks()
	}
	r := s.desk.result()
	if r.Code != wire.CodeSigningFailed || strings.Count(r.Error, "share message malformed") != 3 {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
}

func (s *signCase) refusal(node int, code wire.Code) {
	a := s.attempt()
	s.say(wire.Slot{Kind: wire.SlotRefuse, ID: a.id, Node: node}, wire.Encode(&wire.Complaint{Session: a.session, Code: code, Reason: "because"}))
}

// So many refuse that t are not left: the job ends with their reason. A
// refusal for another session says nothing, and nobody counts twice.
func TestTooManyRefuse(t *testing.T) {
	s := newSignCase(t)
	for range 3 {
		s.refusal(0, wire.CodeNotOwner)
	}
	s.say(wire.Slot{Kind: wire.SlotRefuse, ID: s.attempt().id, Node: 1}, wire.Encode(&wire.Complaint{Session: [32]byte{1}, Code: wire.CodeNotOwner}))
	s.say(wire.Slot{Kind: wire.SlotRefuse, ID: s.attempt().id, Node: 1}, []byte("x"))
	s.refusal(2, wire.CodeNotOwner)
	equal(t, "ended by two of four", len(s.desk.finished), 0)
	s.refusal(3, wire.CodeNotOwner)
	r := s.desk.result()
	if r.Code != wire.CodeNotOwner || !strings.Contains(r.Error, "node 3 refused: because") {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
}

// A code that a node made up is not passed on.
func TestRefusalWithAStrangeCode(t *testing.T) {
	s := newSignCase(t)
	for i := range 3 {
		s.refusal(i, "send_money")
	}
	equal(t, "code", s.desk.result().Code, wire.CodeSigningFailed)
}

// Nodes that lack the key are still reading the log: they get time.
func TestNodesThatLackTheKey(t *testing.T) {
	s := newSignCase(t)
	for range 20 {
		for i := range 3 {
			s.refusal(i, wire.CodeUnknownKey)
		}
		equal(t, "ended", len(s.desk.finished), 0)
		s.passTime(attemptEvery)
		s.desk.timeout(timerRetry)
		s.drainTasks()
	}
	for _, a := range s.nodes {
		a.out = slices.DeleteFunc(a.out, func(w wish) bool { return w.slot.ID != s.attempt().id })
	}
	s.drain()
	s.done(1)
}

func TestNodesThatFail(t *testing.T) {
	s := newSignCase(t)
	for i := range 3 {
		s.refusal(i, wire.CodeInternal)
	}
	s.desk.timeout(timerRetry)
	s.drainTasks()
	equal(t, "attempt", s.lastTask().Attempt, uint32(1))
}

// The gateway ends in the middle of signing, at every stage. Its next life
// opens an attempt of its own: nothing of the first is used twice.
func TestSignGatewayRestart(t *testing.T) {
	for stage := range 4 {
		s := newSignCase(t)
		if stage > 0 {
			members := s.members()
			for _, i := range members[:stage-1] {
				s.let(i, wire.SlotShare)
			}
		}
		if len(s.desk.finished) > 0 {
			continue // done
		}
		s.newLife()
		s.desk.arrive(s.job, nil)
		s.drain()
		s.done(1)
		equal(t, "attempt", s.lastTask().Attempt, uint32(1))
	}
}

// Another gateway published the same attempt before: what stands in WORK is
// judged.
func TestJudgeTask(t *testing.T) {
	s := newSignCase(t)
	standing := s.work[0]
	var e wire.Envelope
	s.check(wire.Decode(standing.Data, 2<<20, &e))
	equal(t, "the same", s.desk.JudgeTask(standing, e.Body), wire.Mine)
	equal(t, "another", s.desk.JudgeTask(standing, []byte("x")), wire.Other)
	standing.Data = []byte("x")
	equal(t, "junk", s.desk.JudgeTask(standing, e.Body), wire.Junk)
}

// Junk on SIGN, and messages for sessions that nobody asked for.
func TestJunkOnSign(t *testing.T) {
	s := newSignCase(t)
	id := s.attempt().id
	for _, subject := range []string{"sign.x", "sign." + id + ".commit.7", "sign." + id + ".share.0", "sign." + someBatch + ".share.0"} {
		s.post(subject, []byte("junk"))
		s.post(subject, s.sessions[1].Seal(s.m, subject, []byte("x")))
	}
	s.drain()
	s.done(1)
	seen := len(s.desk.reports)
	for _, m := range s.sign { // everything again, after the end
		s.desk.do(SignMessage{LogMessage: m})
	}
	equal(t, "reports", len(s.desk.reports), seen)
}

// Three items are checked and summed elsewhere; answers of an attempt that was
// given up change nothing.
func TestSlowGateway(t *testing.T) {
	f := agedFleet(t)
	s := newSignCase(t, item(f.btc, 0, "a"), item(f.btc, 0, "b"), item(f.btc, 0, "c"))
	s.desk.hold = true
	members := s.members()
	equal(t, "checks under way", len(s.desk.held), 2)
	old := s.desk.held
	s.desk.held = nil
	s.desk.timeout(timerLate)
	for _, c := range old {
		s.desk.do(c.Run())
	}
	s.desk.hold = false
	for _, i := range members {
		s.nodes[i].out = slices.DeleteFunc(s.nodes[i].out, func(w wish) bool { return w.slot.Kind == wire.SlotShare })
	}
	s.drain()
	s.done(2)
}

// The sum takes long: the share timer waits for it, but not for ever.
func TestSlowAggregation(t *testing.T) {
	s := newSignCase(t)
	s.desk.hold = true
	for _, i := range s.members() {
		s.let(i, wire.SlotShare)
	}
	first := s.attempt()
	s.desk.timeout(timerLate)
	s.desk.timeout(timerOver)
	if s.attempt() != first {
		t.Error("did not wait for its own computation")
	}
	for range 2 * maxAggregateWaits {
		s.desk.timeout(timerOver)
	}
	s.desk.timeout(timerRetry)
	s.drainTasks()
	if s.attempt() == first {
		t.Fatal("an aggregation that is lost holds the job up")
	}
	held := s.desk.held
	s.desk.hold, s.desk.held = false, nil
	for _, c := range held {
		s.desk.do(c.Run())
	}
	s.drain()
	s.done(2)
}
