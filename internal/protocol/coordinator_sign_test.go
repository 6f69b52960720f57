package protocol

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// signJob is a sign job at the gateway, its task published.
type signJob struct {
	aged
	job SignedJob
}

func newSignJob(t testing.TB, items ...JobItem) *signJob {
	f := agedFleet(t)
	if items == nil {
		items = []JobItem{item(f.btc, 0, "one"), item(f.btc, 1, "two")}
	}
	s := &signJob{f, f.signing(9, "alice", items...)}
	f.desk.arrive(s.job, nil)
	f.drainTasks()
	return s
}

func (s *signJob) attempt() *attempt { return s.desk.jobs[jobKey("alice", jobID(9))].sign.current }

// members publishes the commitments of the first rank and returns who they are.
func (s *signJob) members() []int {
	var nodes []int
	for i, a := range s.nodes {
		if slices.ContainsFunc(a.out, func(w wish) bool { return w.slot.Kind == SlotCommit }) {
			s.let(i, SlotCommit)
			nodes = append(nodes, i)
		}
	}
	return nodes
}

// done ends the test if the job's signatures do not verify.
func (s *signJob) done(attempts int) *Result {
	s.t.Helper()
	r := s.desk.result()
	if r.Status != StatusDone {
		s.t.Fatalf("%s: %s", r.Code, r.Error)
	}
	job, _ := s.job.Parse(s.now)
	suite := map[string]frost.Suite{"secp256k1-tr": frost.Secp256k1TR, "ed25519": frost.Ed25519}[r.Suite]
	for i, sig := range r.Sigs {
		if sig.Key != job.Items[i].Key || !frost.VerifySignature(suite, sig.PublicKey, job.Items[i].Message, sig.Signature) {
			s.t.Fatalf("signature %d does not verify", i)
		}
	}
	equal(s.t, "signatures", len(r.Sigs), len(job.Items))
	equal(s.t, "attempts", r.Attempts, attempts)
	equal(s.t, "left", s.desk.Jobs()+len(s.desk.attempts), 0)
	return r
}

func TestSignJob(t *testing.T) {
	f := agedFleet(t)
	root := item(f.btc, 1, "script")
	root.ScriptRoot = bytes.Repeat([]byte{7}, 32)
	for name, items := range map[string][]JobItem{
		"bitcoin":  {item(f.btc, 0, "a"), root},
		"solana":   {item(f.sol, 0, "a"), {Key: KeyID{f.sol, 1}.String(), Message: []byte("b")}},
		"same key": {item(f.btc, 0, "a"), item(f.btc, 0, "a"), item(f.btc, 0, "b")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSignJob(t, items...)
			s.drain()
			s.done(1)
		})
	}
}

// A wrong share is blamed on its node; the next attempt is without it and
// signs what is left, for good.
func TestWrongShare(t *testing.T) {
	for name, bend := range map[string]func(*shareBody){
		"one item":  func(b *shareBody) { b.Shares[40] ^= 1 },
		"all items": func(b *shareBody) { b.Shares[20] ^= 1; b.Shares[40] ^= 1 },
		"too short": func(b *shareBody) { b.Shares = b.Shares[1:] },
		"too long":  func(b *shareBody) { b.Shares = append(b.Shares, 0) },
		"none":      func(b *shareBody) { b.Shares = nil },
		"session":   func(b *shareBody) { b.Session[0]++ },
		"zeros":     func(b *shareBody) { clear(b.Shares) },
		"overflow":  func(b *shareBody) { copy(b.Shares, bytes.Repeat([]byte{0xff}, 32)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSignJob(t)
			bad := s.members()[0]
			w := s.nodes[bad].want(SlotShare)
			var b shareBody
			s.check(decode(w.body, MaxMessageSize, &b))
			bend(&b)
			s.say(w.slot, encode(&b))
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

func (s *signJob) lastTask() *Task {
	m := s.work[len(s.work)-1]
	var e envelope
	s.check(decode(m.Data, 2<<20, &e))
	return must(decodeTask(e.Body, s.m))
}

// A member that sends no share in time sits the next attempt out, and is back
// once its share arrives.
func TestMissingShare(t *testing.T) {
	s := newSignJob(t)
	members := s.members()
	first := s.attempt()
	late := s.nodes[members[0]].want(SlotShare)
	s.nodes[members[0]].out = nil
	s.let(members[1], SlotShare)
	s.desk.timeout(timerShares)
	run := first.run.sign
	equal(t, "missing", fmt.Sprint(run.missing), fmt.Sprint(map[int]bool{members[0]: true}))
	s.say(late.slot, late.body)
	equal(t, "missing after its share came", len(run.missing), 0)
	s.drain()
	equal(t, "excluded", fmt.Sprint(s.lastTask().Exclude), fmt.Sprint([]uint8{uint8(members[0])}))
	s.done(2)
}

// No set comes about in time: the next attempt asks everybody again.
func TestNoCommitments(t *testing.T) {
	s := newSignJob(t)
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
	s := newSignJob(t)
	tries := 1
	for ; len(s.desk.finished) == 0 && tries < 100; tries++ {
		s.desk.timeout(timerCommits)
	}
	r := s.desk.result()
	if r.Code != CodeSigningFailed || !strings.Contains(r.Error, "2 of 2 signatures missing") {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
	if least := s.m.N - s.m.T + 1; tries <= least {
		t.Errorf("given up after %d attempts, want at least %d", tries-1, least)
	}
	equal(t, "left", s.desk.Jobs()+len(s.desk.attempts), 0)
}

// Too many are proven faulty for t to be left.
func TestTooManyFaulty(t *testing.T) {
	s := newSignJob(t)
	for range 3 {
		bad := s.members()[0]
		s.nodes[bad].out = nil
		s.say(Slot{SlotShare, s.attempt().id, bad}, []byte("x"))
		s.drainTasks()
	}
	r := s.desk.result()
	if r.Code != CodeSigningFailed || strings.Count(r.Error, "share message malformed") != 3 {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
}

func (s *signJob) refusal(node int, code Code) {
	a := s.attempt()
	s.say(Slot{SlotRefuse, a.id, node}, encode(&complaint{Session: a.session, Code: code, Reason: "because"}))
}

// So many refuse that t are not left: the job ends with their reason. A
// refusal for another session says nothing, and nobody counts twice.
func TestTooManyRefuse(t *testing.T) {
	s := newSignJob(t)
	for range 3 {
		s.refusal(0, CodeNotOwner)
	}
	s.say(Slot{SlotRefuse, s.attempt().id, 1}, encode(&complaint{Session: [32]byte{1}, Code: CodeNotOwner}))
	s.say(Slot{SlotRefuse, s.attempt().id, 1}, []byte("x"))
	s.refusal(2, CodeNotOwner)
	equal(t, "ended by two of four", len(s.desk.finished), 0)
	s.refusal(3, CodeNotOwner)
	r := s.desk.result()
	if r.Code != CodeNotOwner || !strings.Contains(r.Error, "node 3 refused: because") {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
}

// A code that a node made up is not passed on.
func TestRefusalWithAStrangeCode(t *testing.T) {
	s := newSignJob(t)
	for i := range 3 {
		s.refusal(i, "send_money")
	}
	equal(t, "code", s.desk.result().Code, CodeSigningFailed)
}

// Nodes that lack the key are still reading the log: they get time.
func TestNodesThatLackTheKey(t *testing.T) {
	s := newSignJob(t)
	for range 20 {
		for i := range 3 {
			s.refusal(i, CodeUnknownKey)
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
	s := newSignJob(t)
	for i := range 3 {
		s.refusal(i, CodeInternal)
	}
	s.drainTasks()
	equal(t, "attempt", s.lastTask().Attempt, uint32(1))
}

// The gateway ends in the middle of signing, at every stage. Its next life
// opens an attempt of its own: nothing of the first is used twice.
func TestSignGatewayRestart(t *testing.T) {
	for stage := range 4 {
		s := newSignJob(t)
		if stage > 0 {
			members := s.members()
			for _, i := range members[:stage-1] {
				s.let(i, SlotShare)
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
	s := newSignJob(t)
	standing := s.work[0]
	var e envelope
	s.check(decode(standing.Data, 2<<20, &e))
	equal(t, "the same", s.desk.JudgeTask(standing, e.Body), Mine)
	equal(t, "another", s.desk.JudgeTask(standing, []byte("x")), Other)
	standing.Data = []byte("x")
	equal(t, "junk", s.desk.JudgeTask(standing, e.Body), Junk)
}

// Junk on SIGN, and messages for sessions that nobody asked for.
func TestJunkOnSign(t *testing.T) {
	s := newSignJob(t)
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
	s := newSignJob(t, item(f.btc, 0, "a"), item(f.btc, 0, "b"), item(f.btc, 0, "c"))
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
		s.nodes[i].out = slices.DeleteFunc(s.nodes[i].out, func(w wish) bool { return w.slot.Kind == SlotShare })
	}
	s.drain()
	s.done(2)
}

// The sum takes long: the share timer waits for it, but not for ever.
func TestSlowAggregation(t *testing.T) {
	s := newSignJob(t)
	s.desk.hold = true
	for _, i := range s.members() {
		s.let(i, SlotShare)
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
