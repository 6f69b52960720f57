package client

import (
	"maps"
	"slices"
	"time"
)

// waiting are the jobs whose answers are waited for, by id: what one job costs, here and
// with each result that comes, does not depend on how many others there are.
type waiting struct {
	jobs  map[string][]*pending // one each, unless a caller names an id twice
	swept time.Time             // when abandoned handles were looked for
}

// sweepEvery is how often they are.
const sweepEvery = time.Minute

func (w *waiting) add(p *pending) {
	if now := time.Now(); now.Sub(w.swept) > sweepEvery {
		w.swept = now
		maps.DeleteFunc(w.jobs, func(_ string, all []*pending) bool {
			return !slices.ContainsFunc(all, func(p *pending) bool { return now.Sub(p.job.job.Over()) <= 2*defaultGrace })
		})
	}
	w.jobs[p.job.job.ID] = append(w.jobs[p.job.job.ID], p)
}

func (w *waiting) remove(p *pending) {
	id := p.job.job.ID
	left := slices.DeleteFunc(w.jobs[id], func(other *pending) bool { return other == p })
	if w.jobs[id] = left; len(left) == 0 {
		delete(w.jobs, id)
	}
}

// of are those that wait for a job's answer now.
func (w *waiting) of(id string) []*pending { return slices.Clone(w.jobs[id]) }
