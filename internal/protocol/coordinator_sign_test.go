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
	return s.desk.signing.jobs[s.desk.jobs[jobKey("alice", jobID(9))]].current
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

// The client with fewer jobs in work is next, and a job whose keys are not there
// takes no place.
func TestBulkPlacesAreShared(t *testing.T) {
	f := agedFleet(t)
	f.desk.signing.cfg.MaxBulk = 2
	bulk := func(n int, client, batch string) wire.SignedJob {
		var items []wire.JobItem
		for i := range wire.InteractiveItems + 1 {
			items = append(items, item(batch, 0, fmt.Sprint(n, i)))
		}
		return f.signing(n, client, items...)
	}
	f.desk.arrive(bulk(20, "alice", strings.Repeat("0", 32)), nil)
	equal(t, "places of a job without keys", f.desk.signing.bulk.total, 0)
	for n := range 3 {
		f.desk.arrive(bulk(21+n, "alice", f.btc), nil)
	}
	f.desk.arrive(bulk(30, "bob", f.bob), nil)
	f.desk.giveUp("alice", 21)
	equal(t, "bob's", f.desk.signing.bulk.running["bob"], 1)
	equal(t, "alice's", f.desk.signing.bulk.running["alice"], 1)
}

// Bulk sign jobs wait for a place, and small ones do not. Each that ends, however
// it does, gives its place to the next.
func TestBulkSignJobsWait(t *testing.T) {
	f := agedFleet(t)
	f.desk.signing.cfg.MaxBulk = 1
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
	equal(t, "places taken by the second", f.desk.signing.bulk.total, 1)
	equal(t, "waiting", len(f.desk.signing.bulk.waiting), 1)
	f.desk.do(Tick{f.now.Add(11 * time.Minute)}) // all expire
	equal(t, "places taken", f.desk.signing.bulk.total, 0)
	equal(t, "waiting", len(f.desk.signing.bulk.waiting), 0)
	f.desk.arrive(bulk(30), nil)
	equal(t, "places taken by a new one", f.desk.signing.bulk.total, 1)
}

// giveUp ends a job in work, by its expiry.
func (d *desk) giveUp(client string, n int) {
	j := d.jobs[jobKey(client, jobID(n))]
	expires := j.job.Expires
	j.job.Expires = d.f.now.Add(-time.Second)
	d.do(Tick{d.f.now})
	j.job.Expires = expires
}

// A node that was missing once is asked again when the others do not suffice.
func TestMissingNodeIsAskedAgain(t *testing.T) {
	s := newSignCase(t)
	members := s.members()
	s.let(members[1], wire.SlotShare) // the other one sends none, and is missing
	s.desk.timeout(timerShares)
	for range 2 {
		if len(s.attempt().commits.exclude) == 0 {
			break
		}
		s.desk.timeout(timerCommits) // and those who are left do not answer
	}
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
	s.desk.timeout(timerShares)
	run := first.job
	equal(t, "missing", fmt.Sprint(run.missing), fmt.Sprint(map[int]bool{members[0]: true}))
	s.say(late.slot, late.body)
	equal(t, "missing after its share came", len(run.missing), 0)
	s.drain()
	equal(t, "excluded", fmt.Sprint(s.lastTask().Exclude), fmt.Sprint([]uint8{uint8(members[0])}))
	s.done(2)
}

// No set comes about in time: the next attempt asks everybody again.
func TestNoCommitments(t *testing.T) {
	s := newSignCase(t)
	for _, a := range s.nodes {
		a.out = nil
	}
	s.desk.timeout(timerCommits)
	s.desk.do(Timer{s.desk.timers[0].ID, timerCommits}) // of the attempt that was given up
	s.drain()
	equal(t, "excluded", len(s.lastTask().Exclude), 0)
	s.done(2)
}

// Nobody ever answers: the job ends with a sentence, not with endless tries.
func TestGivenUp(t *testing.T) {
	s := newSignCase(t)
	tries := 1
	for ; len(s.desk.finished) == 0 && tries < 100; tries++ {
		s.desk.timeout(timerCommits)
	}
	r := s.desk.result()
	if r.Code != wire.CodeSigningFailed || !strings.Contains(r.Error, "2 of 2 signatures missing") {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
	if least := s.m.N - s.m.T + 1; tries <= least {
		t.Errorf("given up after %d attempts, want at least %d", tries-1, least)
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
		s.desk.do(SignMessage{m})
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
	s.desk.timeout(timerCommits)
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
	s.desk.timeout(timerShares)
	if s.attempt() != first {
		t.Error("did not wait for its own computation")
	}
	for range 2 * maxAggregateWaits {
		if s.attempt() == first {
			s.desk.timeout(timerShares)
		}
	}
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
