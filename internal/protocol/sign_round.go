package protocol

import (
	"maps"
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
	sigs  []frost.Signature
	blame []frost.Blame
	err   error
}

func (attemptChecked) event() {}
func (aggregated) event()     {}

func (s *signJobs) onMessage(msg wire.LogMessage, now time.Time) {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil {
		return
	}
	a := s.attempts[slot.ID]
	if a == nil || slot.Node >= a.view.manifest.N {
		return // another gateway's, or one that is over
	}
	body, err := a.view.opener.FromNode(slot.Node, msg.Subject, msg.Time, msg.Data)
	if err != nil {
		return // junk
	}
	a.view.presence.answered(slot.Node, now)
	switch slot.Kind {
	case wire.SlotCommit:
		s.onCommit(a, slot.Node, body, msg.Time, now)
	case wire.SlotShare:
		s.onShare(a, slot.Node, body, msg.Time, now)
	case wire.SlotRefuse:
		s.onRefusal(a, slot.Node, body)
	}
}

func (s *signJobs) onCommit(a *attempt, node int, body []byte, at, now time.Time) {
	if a.closed || a.commits.has(node) || slices.Contains(a.commits.exclude, uint8(node)) {
		return
	}
	pos, points, ok := a.commits.add(node, body)
	if !ok {
		s.proven(a, node, BlameCommitment, "commitment message malformed")
		return
	}
	a.commits.arrivals[pos].at, a.commits.arrivals[pos].heard = at, now
	form, suite, count, each := a.form, a.suite(), len(a.items), s.cfg.Each
	run := func() Event {
		return attemptChecked{a: a, pos: pos, err: checkCommitment(each, form, suite, count, points)}
	}
	if count <= inlineChecks {
		s.onChecked(run().(attemptChecked))
		return
	}
	s.out.do(Compute{Urgent: count <= wire.InteractiveItems, Name: "check commitment", Run: run})
}

func (s *signJobs) onChecked(e attemptChecked) {
	a := e.a
	if s.attempts[a.id] != a || a.closed {
		return
	}
	a.commits.checked(e.pos, e.err)
	if e.err != nil {
		s.proven(a, a.commits.arrivals[e.pos].Index, BlameCommitment, "commitment: "+e.err.Error())
	}
	if a.set != nil {
		return
	}
	if a.set = a.commits.set(a.view.manifest.T); a.set == nil {
		return
	}
	a.setHash = wire.SetHash(a.set)
	if s.dropBad(a) {
		return
	}
	s.out.round(a.job.activeJob, RoundCommitments, a.id, a.suite(), a.committed())
	s.aggregate(a)
}

// proven notes a proof that a node is faulty: a message that it signed. It is out for this job, and sits out in others.
// It is reported once for a job, however many items are wrong.
func (s *signJobs) proven(a *attempt, node int, code wire.Code, reason string) {
	if _, known := a.trouble.bad[node]; !known {
		report := a.job.report(ReportBlamed, a.id)
		report.Code, report.Reason, report.Culprit = code, reason, node
		s.out.do(report)
	}
	a.trouble.bad[node] = reason
	a.view.nodes.missed(node, a.opened)
}

// dropBad gives an attempt up that has a member who is proven faulty, or refused, and opens another. Each node has
// that done at once only once.
func (s *signJobs) dropBad(a *attempt) bool {
	node, j := a.badMember(), a.job
	if node < 0 || a.closed {
		return false
	}
	a.close()
	_, bad := a.trouble.bad[node]
	news := bad || a.held(node)
	if a.movedFor(node) && !bad {
		node = -1
	}
	s.retry(j, node, news)
	return true
}

// held notes that a node holds an attempt up, and reports whether that is news.
func (a *attempt) held(node int) (news bool) {
	if !a.movedFor(node) {
		a.view.nodes.missed(node, a.opened)
		a.view.presence.missed(node)
	}
	a.trouble.missing[node] = len(a.job.attempts)
	news = !a.trouble.known[node]
	a.trouble.known[node] = true
	return news
}

// onShare keeps a node's first share message. One that arrives after all shows that
// the node is back.
func (s *signJobs) onShare(a *attempt, node int, body []byte, at, now time.Time) {
	if slices.Contains(a.commits.exclude, uint8(node)) {
		return
	}
	share, err := wire.DecodeShare(body, a.session)
	if err != nil || len(share.Shares) != len(a.which)*frost.ScalarSize {
		if a.shares[node].ShareBody == nil {
			s.proven(a, node, BlameShareForm, "share message malformed")
			s.dropBad(a)
		}
		return
	}
	if _, missing := a.trouble.missing[node]; missing && share.Set == a.setHash {
		delete(a.trouble.missing, node)
		a.view.nodes.returned(node)
	}
	if a.closed || a.shares[node].ShareBody != nil {
		return
	}
	a.shares[node] = storedShare{share, at, now}
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
	s.answered(a)
	s.out.round(a.job.activeJob, RoundShares, a.id, a.suite(), last)
	form, items, set, each, oracle := a.form, a.items, a.set, s.cfg.Each, s.cfg.Oracle
	s.out.do(Compute{
		Urgent: len(items) <= wire.InteractiveItems, Name: "aggregate", Trace: a.job.Signed.Trace,
		Run: func() Event {
			sigs, blame, err := aggregateChunks(each, form, items, set, shares)
			oracle.Signatures(form, items, set, shares, sigs)
			return aggregated{a: a, sigs: sigs, blame: blame, err: err}
		},
	})
}

// answered learns from an attempt that has all its shares.
func (s *signJobs) answered(a *attempt) {
	s.traffic.retries.answered()
	for _, c := range a.set {
		a.view.nodes.answered(c.Index)
	}
	t := a.view.manifest.T
	leaders := ranking(a.session, a.commits.exclude, a.view.manifest.N)[:t]
	for _, node := range a.absent(leaders, s.traffic.lane(a.job).usual(len(a.items))) {
		a.view.nodes.missed(node, a.opened)
	}
	s.traffic.took(a, a.delays(leaders), t)
}

func (s *signJobs) onAggregated(e aggregated) {
	a := e.a
	if s.attempts[a.id] != a || a.closed {
		return
	}
	suite := a.suite()
	a.close()
	j, culprit := a.job, -1
	if err := stoppedFor(s.cfg.Oracle, suite); err != nil {
		s.out.fail(j.activeJob, wire.Refuse(wire.CodeInternal, "%v", err))
		return
	}
	for _, b := range e.blame {
		s.proven(a, b.Index, BlameShare, b.Reason)
		culprit = e.blame[0].Index
	}
	a.take(e.sigs)
	switch {
	case len(j.left) > 0 && a.unsigned():
		s.retry(j, culprit, culprit >= 0)
		return
	case len(j.left) > 0: // keys that are with the nodes of another manifest
		j.closeSigned()
		s.open(j)
		return
	}
	for _, other := range j.attempts {
		other.close() // the result is being made of what the job has now
	}
	s.out.compute(j.activeJob, func() (*wire.Result, error) { return signResult(j) })
}

// onRefusal ends the job when so many nodes refuse that one of them is honest, for what will not pass. While it may
// pass the job tries again.
func (s *signJobs) onRefusal(a *attempt, node int, body []byte) {
	refusal, err := wire.DecodeComplaint(body)
	if err != nil || refusal.Session != a.session || a.closed || a.aggregating ||
		slices.Contains(a.commits.exclude, uint8(node)) {
		return
	}
	switch {
	case refusal.Code == wire.CodeApprovalRequired && a.renewed != a.job.renewed:
		a.close() // approvals came since that were not in its task
		s.retry(a.job, -1, true)
		return
	case refusal.Code == wire.CodeMoved && s.keys.moved(a):
		a.close()
		s.open(a.job)
		return
	case refusal.Code == wire.CodeMoved && s.keys.lies(a, node, s.views.now):
		a.view.nodes.missed(node, a.opened)
	}
	a.refusals[node] = refusal
	a.trouble.missing[node] = len(a.job.attempts)
	// All n nodes certified the key: those that lack it are still reading the log, or rebuild their storage. One that
	// says that it moved read more of the register than this gateway.
	passes := refusal.Code == wire.CodeInternal || refusal.Code == wire.CodeUnknownKey || refusal.Code == wire.CodeMoved
	if !passes {
		a.trouble.denied[node] = refusal
	}
	n, t := a.view.manifest.N, a.view.manifest.T
	switch {
	case len(a.trouble.denied) > n-t:
		s.out.fail(a.job.activeJob, a.trouble.verdict(n-t, node))
	case n-len(a.commits.exclude)-len(a.refusals) < t: // nobody is left to step in
		a.close()
		if refusal.Code == wire.CodeUnknownKey || refusal.Code == wire.CodeMoved {
			a.job.tries--
		}
		if refusal.Code == wire.CodeMoved {
			node = -1
		}
		s.retry(a.job, node, false)
	default:
		s.dropBad(a)
	}
}

// onLate looks at an attempt that takes longer than usual. Another is opened beside it without those that hold it
// up; whichever is answered first counts. Without a suspect that is a retry on top of work that may only be slow: the
// budget bounds it, and each of a job waits twice as long as the one before.
func (s *signJobs) onLate(a *attempt) {
	j := a.job
	if a.closed || a.aggregating || j.last() != a {
		return
	}
	if !s.suspect(a) {
		if a.waits < j.beside || !s.traffic.retries.take() {
			a.waits++
			wait := s.traffic.lane(j).wait(len(a.items)) << min(a.waits, 6)
			s.out.do(After{Delay: wait, Timer: Timer{a.id, timerLate}})
			return
		}
		j.beside++
	}
	s.retry(j, -1, true)
}

// tick is told the time, and forgets tasks that nobody will follow up.
func (s *signJobs) tick(now time.Time) {
	s.traffic.tick(now)
	for _, v := range s.views.chain {
		v.nodes.now, v.dealing.now = now, now
		for _, node := range v.presence.tick(now) {
			s.out.do(Report{What: ReportAbsent, Reason: "not heard for a while" + v.named(), Culprit: node})
			s.onAbsent(v, node)
		}
	}
	s.schedule()
	for key, last := range s.latest {
		if now.Sub(last.at) > 2*sessionLife {
			delete(s.latest, key)
		}
	}
}

// onAbsent opens attempts beside those that a node holds up which is not heard any more.
func (s *signJobs) onAbsent(v *view, node int) {
	for _, id := range slices.Sorted(maps.Keys(s.attempts)) {
		a := s.attempts[id]
		if a == nil || a.view != v || a.closed || a.aggregating || a.sent.IsZero() || a.job.last() != a ||
			!slices.Contains(a.late(), node) {
			continue
		}
		if a.held(node) && a.spares() {
			s.retry(a.job, node, true)
		}
	}
}

// suspect notes who holds an attempt up, and reports whether that is news and others can do without. Where no signing
// set came about, whoever sat out is needed again.
func (s *signJobs) suspect(a *attempt) (news bool) {
	a.trouble.everyone = a.set == nil
	for _, node := range a.late() {
		news = a.held(node) || news
	}
	return news && a.spares()
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
	s.suspect(a)
	a.close()
	if !a.job.waits() {
		s.traffic.lane(a.job).window.lost()
		s.retry(a.job, -1, false)
	}
}

func (s *signJobs) onTimer(t Timer) {
	a := s.attempts[t.ID]
	switch {
	case t.Kind == timerRest:
		s.rested(t.ID)
	case a == nil:
	case t.Kind == timerLate:
		s.onLate(a)
	case t.Kind == timerOver:
		s.onOver(a)
	}
}
