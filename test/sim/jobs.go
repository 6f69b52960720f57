package sim

import (
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// jobQueue is JOBS: a work queue that the gateways share.
type jobQueue struct {
	w      *world
	tokens uint64
}

// queued is one message of JOBS.
type queued struct {
	job    wire.SignedJob
	stored time.Time
	acked  bool
	rounds int // deliveries so far
}

// ackWait is after how long an unacknowledged job is delivered again.
const ackWait = 4 * time.Second

// push stores a job. The client's publish may be lost or its acknowledgement;
// then it publishes again.
func (q *jobQueue) push(job wire.SignedJob) {
	w := q.w
	w.at(w.lag(), func() {
		if w.fault(PublishLost) {
			w.at(time.Second, func() { q.push(job) })
			return
		}
		e := &queued{job: job, stored: w.now()}
		q.dispatch(e)
		if w.fault(AckLost) {
			w.at(time.Second, func() { q.push(job) })
		}
	})
}

// dispatch delivers a job to one of the gateways that are ready.
func (q *jobQueue) dispatch(e *queued) {
	w := q.w
	if e.acked {
		return
	}
	var ready []*gatewayLife
	for _, g := range w.gateways {
		if g.gatewayLife != nil && g.alive && g.ready && (g.complete || e.job.Kind == wire.KindSign) {
			ready = append(ready, g.gatewayLife)
		}
	}
	if len(ready) == 0 {
		w.at(300*time.Millisecond, func() { q.dispatch(e) })
		return
	}
	g := ready[w.rng.IntN(len(ready))]
	e.rounds++
	round := e.rounds
	w.at(w.lag(), func() { g.deliver(e) })
	w.at(ackWait, func() { q.lapse(e, g, round) })
	if w.fault(JobRedelivered) {
		w.at(w.between(time.Millisecond, 3*time.Second), func() { q.dispatch(e) })
	}
}

// lapse delivers a job again whose gateway died or let go of it. One that is
// still at work says so.
func (q *jobQueue) lapse(e *queued, g *gatewayLife, round int) {
	switch {
	case e.acked || e.rounds != round:
	case g.alive && slices.Contains(g.held(), e):
		q.w.at(ackWait, func() { q.lapse(e, g, round) })
	default:
		q.dispatch(e)
	}
}

func (q *jobQueue) token() uint64 {
	q.tokens++
	return q.tokens
}
