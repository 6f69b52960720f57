package protocol

import (
	"sync"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// beside runs every computation of the gateway while everything that it has heard
// comes again, and more; n is the job's number.
func (f *fleet) beside(n int, job wire.SignedJob) {
	d := f.desk
	for len(d.held) > 0 {
		held := d.held
		d.held = nil
		answers := make([]Event, len(held))
		var running sync.WaitGroup
		for i, c := range held {
			running.Go(func() { answers[i] = c.Run() })
		}
		d.arrive(job, nil)
		d.do(Tick{f.now})
		f.show(d)
		for _, m := range f.sign {
			d.do(SignMessage{LogMessage: m})
		}
		for _, m := range f.work {
			d.do(TaskMessage{m, f.now})
		}
		for _, timer := range d.timers {
			if timer.Kind != timerLate && timer.Kind != timerOver { // those give attempts up
				d.do(timer)
			}
		}
		if d.jobs[jobKey(job.Client, jobID(n))].answering {
			for _, timer := range d.timers {
				d.do(timer)
			}
			d.do(Tick{f.now.AddDate(1, 0, 0)})
		}
		running.Wait()
		for _, ev := range answers {
			d.do(ev)
		}
		f.flush()
	}
}

// The gateway's computations read nothing that steps change, for the race
// detector, and its jobs end once.
func TestResultsBesideTheMachine(t *testing.T) {
	s := newSignCase(t)
	s.desk.hold = true
	for _, i := range s.members() {
		s.let(i, wire.SlotShare)
	}
	s.beside(9, s.job)
	s.done(1)

	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "bitcoin", 3)
	f.desk.arrive(job, nil)
	f.desk.hold = true
	f.drain()
	f.beside(1, job)
	f.check(wire.VerifyKeys(f.m, job, f.desk.result()))
	equal(t, "left", f.desk.Jobs()+f.desk.keygen.flights.underWay+len(f.desk.keygen.batches)+f.desk.registrar().rounds.Len(), 0)
}
