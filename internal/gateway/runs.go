package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
)

// Each approval runs its job once more, at the cost of a session, whoever made it: gateways
// can't tell. So a job has a few runs at once and then one each runEvery: an approver whose
// keys are in other hands keeps no nodes busy, and does not use up the attempts of the job.
// The client's runs do not wait: it pays for those by its quota of JOBS.
const (
	runsAtOnce = 4
	runEvery   = 20 * time.Second
	// maxRuns bounds how many jobs are remembered.
	maxRuns = 1 << 14
)

// runs paces approvals by job. The zero value is ready.
type runs struct {
	mu   sync.Mutex
	jobs map[jobName]*runsOf
}

// runsOf is what is remembered of a job.
type runsOf struct {
	full    time.Time // when it may have as many runs at once as at first
	waiting bool      // a run waits for its turn, and reads what approvals there are when that has come
}

// await waits for the turn of a run. It is false if another one waits already, or if ctx
// ends.
func (r *runs) await(ctx context.Context, of jobName) (bool, error) {
	wait, first := r.turn(of, time.Now())
	if !first {
		return false, nil
	}
	err := backoff.Sleep(ctx, wait)
	r.mu.Lock()
	defer r.mu.Unlock()
	if job := r.jobs[of]; job != nil {
		job.waiting = false
	}
	return err == nil, err
}

// turn is how long a run of a job waits that comes now, unless another one waits.
func (r *runs) turn(of jobName, now time.Time) (wait time.Duration, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.jobs == nil || len(r.jobs) >= maxRuns {
		r.jobs = map[jobName]*runsOf{}
	}
	job := r.jobs[of]
	switch {
	case job == nil:
		job = &runsOf{}
		r.jobs[of] = job
	case job.waiting:
		return 0, false
	}
	if job.full.Before(now) {
		job.full = now
	}
	job.full, job.waiting = job.full.Add(runEvery), true
	return max(0, job.full.Sub(now)-runsAtOnce*runEvery), true
}
