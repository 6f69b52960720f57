package protocol

import (
	"maps"
	"slices"
	"strconv"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a sign job leaves the air, and what brings one back into it.

// storing has a job that ends in flight stay there until its result is stored, and
// returns the number of its flight; 0: it was in none.
func (s *signJobs) storing(job *activeJob) uint64 {
	j := s.jobs[job]
	if j == nil {
		return 0
	}
	return s.traffic.storing(j)
}

// signers are the nodes whose shares are in signatures of a job.
func (s *signJobs) signers(job *activeJob) []int {
	j := s.jobs[job]
	if j == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(j.signers))
}

// landed ends the flight of a job whose result is stored.
func (s *signJobs) landed(e Finished) {
	if rest := s.traffic.landed(e); rest > 0 {
		s.out.do(After{Delay: rest, Timer: Timer{strconv.FormatUint(e.Flight, 10), timerRest}})
	}
	s.schedule()
}

// rested ends the flight of a job that had to rest.
func (s *signJobs) rested(id string) {
	if flight, err := strconv.ParseUint(id, 10, 64); err == nil {
		s.traffic.rested(flight)
		s.schedule()
	}
}

// release takes a job that has ended out of work.
func (s *signJobs) release(job *activeJob) {
	j := s.jobs[job]
	if j == nil {
		return
	}
	delete(s.jobs, job)
	s.found(j)
	for _, a := range j.attempts {
		delete(s.attempts, a.id)
	}
	s.traffic.end(j)
	s.schedule()
}

// again has a job wait for its turn once more.
func (s *signJobs) again(job *activeJob) {
	if j := s.jobs[job]; j != nil {
		j.queued = s.traffic.now
		s.traffic.again(j)
		s.schedule()
	}
}

// onAccess gives a job's attempts up, and opens another without the nodes that are
// revoked. One whose shares are all there needs nobody any more.
func (s *signJobs) onAccess(job *activeJob) {
	j := s.jobs[job]
	if j == nil {
		return
	}
	for v, met := range j.trouble {
		met.leaveOut(s.views.revoked(v))
	}
	gaveUp := false
	for _, a := range j.attempts {
		if !a.closed && !a.aggregating {
			a.close()
			gaveUp = true
		}
	}
	if gaveUp && j.place == flying && !j.waits() { // who is not in flight waits for its turn
		s.retry(j, -1, true)
	}
}

// approved has the nodes asked again that wanted approvals.
func (s *signJobs) approved(job *activeJob) {
	j := s.jobs[job]
	if j == nil {
		return
	}
	for _, met := range j.trouble {
		for node, refusal := range met.denied {
			if refusal.Code == wire.CodeApprovalRequired {
				delete(met.denied, node)
				delete(met.missing, node)
			}
		}
	}
}
