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
	if s.dropBad(a) {
		return
	}
	s.out.round(a.job.activeJob, RoundCommitments, a.id, a.suite(), a.committed())
	s.aggregate(a)
}

// dropBad gives an attempt up that has a member who is proven faulty, and opens another.
func (s *signJobs) dropBad(a *attempt) bool {
	bad := a.badMember()
	if bad < 0 {
		return false
	}
	a.closed = true
	s.retry(a.job, bad)
	return true
}

// onShare keeps a node's first share message. One that arrives after all shows that
// the node is back.
func (s *signJobs) onShare(a *attempt, node int, body []byte, at time.Time) {
	js := a.job
	if js.missing[node] {
		delete(js.missing, node)
		s.traffic.nodes.returned(node)
	}
	if a.closed || a.shares[node].ShareBody != nil || slices.Contains(a.commits.exclude, uint8(node)) {
		return
	}
	share, err := wire.DecodeShare(body, a.session)
	if err != nil || len(share.Shares) != len(a.items)*frost.ScalarSize {
		js.bad[node] = "share message malformed"
		s.dropBad(a)
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
	s.answered(a, last)
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

// answered learns from an attempt that has all its shares.
func (s *signJobs) answered(a *attempt, last time.Time) {
	s.traffic.retries.answered()
	for _, c := range a.set {
		s.traffic.nodes.answered(c.Index)
	}
	for _, node := range ranking(a.session, a.commits.exclude, s.cfg.Manifest.N)[:s.cfg.Manifest.T] {
		if !a.commits.has(node) && a.refusals[node] == nil {
			s.traffic.nodes.missed(node) // others of the second rank stepped in, who waited for it
		}
	}
	if took := last.Sub(a.sent); !a.sent.IsZero() && took > 0 {
		s.traffic.lane(a.job).took(a, took)
	}
}

func (s *signJobs) onAggregated(e aggregated) {
	a := e.a
	if s.attempts[a.id] != a || a.closed {
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
	a.job.missing[node] = true
	if len(a.refusals) <= s.cfg.Manifest.N-s.cfg.Manifest.T {
		return
	}
	switch refusal.Code {
	case wire.CodeInternal:
		a.closed = true
		s.out.do(a.job.retry(wire.CodeSigningFailed, a.job.failureSummary(s.cfg.Manifest.T), node))
		s.pause(a.job)
		return
	case wire.CodeUnknownKey:
		// All n nodes certified the key: those that lack it are still reading
		// the log, or rebuild their storage. That takes its time, and is no
		// failed attempt.
		a.closed = true
		a.job.tries--
		s.wait(a.job, rebuildPause)
		return
	}
	code := refusal.Code
	if !slices.Contains(wire.JobCodes, code) {
		code = wire.CodeSigningFailed // a node's own invention
	}
	s.out.fail(a.job.activeJob, wire.Refuse(code, "node %d refused: %s", node, refusal.Reason))
}

// onLate looks at an attempt that takes longer than usual. Another is opened beside it without those that hold it
// up; whichever is answered first counts. Without a suspect that is a retry on top of work that may only be slow, and
// the budget bounds it.
func (s *signJobs) onLate(a *attempt) {
	if a.closed || a.aggregating || a.job.last() != a {
		return
	}
	if !s.suspect(a) && !s.traffic.retries.take() {
		a.waits++
		wait := s.traffic.lane(a.job).wait(len(a.items)) << min(a.waits, 6)
		s.out.do(After{Delay: wait, Timer: Timer{a.id, timerLate}})
		return
	}
	s.retry(a.job, -1)
}

// suspect notes who holds an attempt up, and reports whether that is news. Where no signing set came about, whoever
// sat out is needed again.
func (s *signJobs) suspect(a *attempt) (news bool) {
	a.job.everyone = a.set == nil
	for _, node := range a.late(s.cfg.Manifest.N, s.cfg.Manifest.T) {
		if !a.job.missing[node] {
			a.job.missing[node], news = true, true
			s.traffic.nodes.missed(node)
		}
	}
	return news
}

// maxAggregateWaits is for how many lives of an attempt an aggregation may go on: a busy gateway. One whose
// computation is lost asks again in the end.
const maxAggregateWaits = 5

// onOver ends an attempt that nobody works for any more. Its job comes again after a pause, unless another attempt of
// it is under way.
func (s *signJobs) onOver(a *attempt) {
	if a.closed {
		return
	}
	if a.aggregating && a.waits < maxAggregateWaits {
		a.waits++
		s.out.do(After{Delay: attemptLife(len(a.items)), Timer: Timer{a.id, timerOver}})
		return
	}
	a.closed = true
	s.suspect(a)
	if a.job.waits() {
		return
	}
	s.traffic.lane(a.job).window.lost()
	s.out.do(a.job.retry(wire.CodeSigningFailed, a.job.failureSummary(s.cfg.Manifest.T), -1))
	s.pause(a.job)
}

func (s *signJobs) onTimer(t Timer) {
	a := s.attempts[t.ID]
	switch {
	case a == nil:
	case t.Kind == timerLate:
		s.onLate(a)
	case t.Kind == timerOver:
		s.onOver(a)
	}
}
