package protocol

import (
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What the nodes of a session answer, and what becomes of it.

type attemptChecked struct {
	a   *attempt
	pos int
	err error
}

type aggregated struct {
	a     *attempt
	sigs  [][]byte
	blame []frost.Blame
	err   error
}

func (attemptChecked) event() {}
func (aggregated) event()     {}

func (s *signJobs) onMessage(msg wire.LogMessage) {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || slot.Node >= s.cfg.Manifest.N {
		return
	}
	a := s.attempts[slot.ID]
	if a == nil {
		return // another gateway's, or one that is over
	}
	body, err := s.opener.FromNode(slot.Node, msg.Subject, msg.Time, msg.Data)
	if err != nil {
		return // junk
	}
	switch slot.Kind {
	case wire.SlotCommit:
		s.onCommit(a, slot.Node, body, msg.Time)
	case wire.SlotShare:
		s.onShare(a, slot.Node, body, msg.Time)
	case wire.SlotRefuse:
		s.onRefusal(a, slot.Node, body)
	}
}

func (s *signJobs) onCommit(a *attempt, node int, body []byte, at time.Time) {
	pos, points, ok := a.commits.add(node, body)
	if !ok || a.closed {
		return
	}
	a.commits.arrivals[pos].at = at
	suite, count := a.suite(), len(a.items)
	run := func() Event {
		return attemptChecked{a: a, pos: pos, err: frost.CheckCommitment(suite, count, points)}
	}
	if count <= inlineChecks {
		s.onChecked(run().(attemptChecked))
		return
	}
	s.out.do(Compute{Urgent: count <= wire.InteractiveItems, Name: "check commitment", Run: run})
}

func (s *signJobs) onChecked(e attemptChecked) {
	a := e.a
	if s.attempts[a.id] != a {
		return
	}
	a.commits.checked(e.pos, e.err)
	if e.err != nil {
		a.job.bad[a.commits.arrivals[e.pos].Index] = "commitment: " + e.err.Error()
	}
	if a.set != nil || a.closed {
		return
	}
	if a.set = a.commits.set(s.cfg.Manifest.T); a.set == nil {
		return
	}
	a.setHash = wire.SetHash(a.set)
	if bad := a.badMember(); bad >= 0 {
		s.retry(a.job, bad)
		return
	}
	s.out.round(a.job.activeJob, RoundCommitments, a.id, a.suite(), a.committed())
	s.shareTimer(a)
	s.aggregate(a)
}

func (s *signJobs) shareTimer(a *attempt) {
	s.out.do(After{Delay: s.cfg.ShareWait + a.sizeWait(), Timer: Timer{a.id, timerShares}})
}

// maxLate is how often a node may be late before a share that arrives after
// all does not bring it back: two that take turns would use up all attempts.
const maxLate = 2

// onShare keeps a node's first share message. One that arrives after its
// attempt was given up shows that the node is back.
func (s *signJobs) onShare(a *attempt, node int, body []byte, at time.Time) {
	js := a.job
	if js.late[node] < maxLate {
		delete(js.missing, node)
	}
	if a.closed || a.shares[node].ShareBody != nil || slices.Contains(a.commits.exclude, uint8(node)) {
		return
	}
	share, err := wire.DecodeShare(body, a.session)
	if err != nil || len(share.Shares) != len(a.items)*frost.ScalarSize {
		js.bad[node] = "share message malformed"
		if bad := a.badMember(); bad >= 0 {
			s.retry(a.job, bad)
		}
		return
	}
	a.shares[node] = storedShare{share, at}
	s.aggregate(a)
}

// aggregate sums the shares once the set and all its shares are there.
func (s *signJobs) aggregate(a *attempt) {
	if a.set == nil || a.closed || a.aggregating {
		return
	}
	shares, last := a.answered()
	if shares == nil {
		return
	}
	a.aggregating = true
	s.out.round(a.job.activeJob, RoundShares, a.id, a.suite(), last)
	items, set := a.items, a.set
	s.out.do(Compute{
		Urgent: len(items) <= wire.InteractiveItems, Name: "aggregate", Trace: a.job.Signed.Trace,
		Run: func() Event {
			sigs, blame, err := frost.Aggregate(items, set, shares)
			return aggregated{a: a, sigs: sigs, blame: blame, err: err}
		},
	})
}

func (s *signJobs) onAggregated(e aggregated) {
	a := e.a
	if s.attempts[a.id] != a || a.job.current != a || a.closed {
		return
	}
	a.closed = true
	a.take(e.sigs, e.blame)
	j := a.job
	if len(j.left) > 0 {
		culprit := -1
		if len(e.blame) > 0 {
			culprit = e.blame[0].Index
		}
		s.retry(j, culprit)
		return
	}
	s.out.compute(j.activeJob, func() (*wire.Result, error) { return signResult(j) })
}

// rebuildPause is how long a gateway waits for nodes that lack a key.
const rebuildPause = time.Second

// onRefusal ends the job when so many nodes refuse that t can't be found.
func (s *signJobs) onRefusal(a *attempt, node int, body []byte) {
	refusal, err := wire.DecodeComplaint(body)
	if err != nil || refusal.Session != a.session || a.closed || slices.Contains(a.commits.exclude, uint8(node)) {
		return
	}
	a.refusals[node] = refusal
	if len(a.refusals) <= s.cfg.Manifest.N-s.cfg.Manifest.T {
		return
	}
	switch refusal.Code {
	case wire.CodeInternal:
		s.retry(a.job, node)
		return
	case wire.CodeUnknownKey:
		// All n nodes certified the key: those that lack it are still reading
		// the log, or rebuild their storage. That takes its time, and is no
		// failed attempt.
		a.closed = true
		a.job.tries--
		s.out.do(After{Delay: rebuildPause, Timer: Timer{a.id, timerRetry}})
		return
	}
	code := refusal.Code
	if !slices.Contains(wire.JobCodes, code) {
		code = wire.CodeSigningFailed // a node's own invention
	}
	s.out.fail(a.job.activeJob, wire.Refuse(code, "node %d refused: %s", node, refusal.Reason))
}

// maxAggregateWaits is for how many share timers an aggregation may go on.
const maxAggregateWaits = 5

// onTimeout opens the next attempt without those that did not answer.
func (s *signJobs) onTimeout(a *attempt, kind TimerKind) {
	if a.closed || kind == timerCommits && a.set != nil {
		return
	}
	if a.aggregating && a.waits < maxAggregateWaits {
		a.waits++ // a busy gateway; one whose computation is lost asks again in the end
		s.shareTimer(a)
		return
	}
	js := a.job
	if a.set == nil {
		// Who is left does not suffice: whoever was missing is asked again.
		clear(js.missing)
	}
	for _, c := range a.set {
		if !a.hasShare(c.Index) {
			js.missing[c.Index] = true
			js.late[c.Index]++
		}
	}
	s.retry(a.job, -1)
}

func (s *signJobs) onTimer(t Timer) {
	a := s.attempts[t.ID]
	switch t.Kind {
	case timerRetry:
		if a != nil && a.job.current == a {
			s.retry(a.job, -1)
		}
	case timerCommits, timerShares:
		if a != nil {
			s.onTimeout(a, t.Kind)
		}
	}
}
