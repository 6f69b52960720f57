package gateway

import (
	"sync"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// A client publishes a job again that has no answer, so a copy of it can come while its
// result is on the way to RESULTS: the machine has ended the job, and no result is to be
// read yet. Begun once more, the job would cost the nodes their work a second time. After
// RESULTS was away that is so of every job that ended meanwhile.

// endings are the jobs whose results are being stored, by what names a job.
type endings struct {
	mu   sync.Mutex
	jobs map[jobName]*ending
}

type jobName struct{ client, id string }

// ending is one of them.
type ending struct {
	token uint64 // of the delivery that is answered
	over  chan struct{}
}

// begin notes a job whose result is about to be stored, until end.
func (e *endings) begin(f protocol.Finish) (end func()) {
	name, mine := jobName{f.Result.Client, f.Result.Job}, &ending{f.Token, make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.jobs == nil {
		e.jobs = map[jobName]*ending{}
	}
	e.jobs[name] = mine
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		close(mine.over)
		if e.jobs[name] == mine {
			delete(e.jobs, name)
		}
	}
}

// of returns what is closed once the result of a delivery's job is stored, or is not
// going to be; nil if none is on its way for another delivery.
func (e *endings) of(token uint64, d *delivery) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	other := e.jobs[jobName{d.job.Signed.Client, d.job.ID}]
	if other == nil || other.token == token {
		return nil
	}
	return other.over
}

// result is the stored result of a delivery's job, if there is one, or is about to be. It
// is false if the gateway stops before, or if the delivery ends.
func (g *Gateway) result(token uint64, d *delivery) (existing *protocol.ExistingResult, ok bool) {
	for {
		existing, ok = g.existing(d)
		stored := g.endings.of(token, d)
		if !ok || existing != nil || stored == nil {
			return existing, ok
		}
		select {
		case <-stored:
		case <-d.done:
			return nil, false
		case <-g.run.Stopping():
			return nil, false
		}
	}
}
