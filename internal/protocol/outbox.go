package protocol

import (
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// outbox collects what one step wants done.
type outbox struct {
	effects []Effect
	ended   []*activeJob
}

func (o *outbox) do(effects ...Effect) { o.effects = append(o.effects, effects...) }

// end marks a job as ended. Its result is stored, and its capacity given to
// others, when the step is over.
func (o *outbox) end(j *activeJob, result *wire.Result) {
	if j.result == nil {
		j.result = result
		o.ended = append(o.ended, j)
	}
}

// fail ends a job without what it asked for.
func (o *outbox) fail(j *activeJob, err *wire.JobError) { o.end(j, j.failure(err)) }

// leastLife is what a job must have had to live for its expiry to show that the fleet is
// asked for too much. Clients may give theirs a second, and that shows nothing.
const leastLife = 10 * time.Second

// unserved reports that a job expired before anybody began it.
func (o *outbox) unserved(j *activeJob) {
	if j.until.Sub(j.stored) >= leastLife {
		o.do(j.report(ReportUnserved, j.ID))
	}
}

// compute has the job's result made. The job ends with it, so it always answers.
func (o *outbox) compute(j *activeJob, result func() (*wire.Result, error)) {
	j.answering = true
	o.do(Compute{Urgent: j.interactive(), Name: "result", Trace: j.Signed.Trace, Run: func() (ev Event) {
		defer func() {
			if recover() != nil {
				ev = resultMade{job: j, err: errPanicked}
			}
		}()
		r, err := result()
		return resultMade{job: j, result: r, err: err}
	}})
}

var errPanicked = errors.New("a computation panicked")

type resultMade struct {
	job    *activeJob
	result *wire.Result
	err    error
}

func (resultMade) event() {}

// leaderSkew is how far the clocks of the servers that lead the streams may differ.
const leaderSkew = time.Second

// round reports that a round was through. One that was before this copy of the
// job was stored belongs to an earlier copy, or to a server whose clock is behind.
func (o *outbox) round(j *activeJob, round RoundKind, id string, suite frost.Suite, at time.Time) {
	if at.Before(j.stored.Add(-leaderSkew)) {
		return
	}
	o.do(Round{
		Round: round, Kind: j.job.Kind, Suite: suite, Interactive: j.interactive(), Trace: j.Signed.Trace,
		ID: id, From: j.stored, To: later(j.stored, at),
	})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
