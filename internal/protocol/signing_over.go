package protocol

// A session ends when its job has expired, and when nobody waits for its attempt any more.

// compute is a computation of this session. Past the deadline wipe is called in its
// place, by the machine.
func (s *signing) compute(name string, run func() Event, wipe func()) Compute {
	return Compute{
		Urgent: s.urgent(), Name: name, Trace: s.trace, Run: run, Client: s.request.client,
		Until: s.request.deadline, Late: func() Event { return overdue{s, wipe} },
	}
}

// overdue is a computation that was not begun, since its session is past its deadline.
type overdue struct {
	s    *signing
	wipe func()
}

func (overdue) event() {}

func (e overdue) resume() []Effect {
	e.wipe()
	if e.s.phase >= signDone {
		return nil
	}
	return e.s.late()
}

// over ends the session if its job is over, or if nobody waits for this attempt any
// more, and reports whether it did.
func (s *signing) over() ([]Effect, bool) {
	switch {
	case s.phase >= signDone:
		return nil, false
	case s.node.now.After(s.request.expires):
		return s.expire(), true
	case past(s.request.deadline, s.node.now):
		return s.late(), true
	}
	return nil, false
}

// expire ends the session since its job is over. Who has promised something says so.
func (s *signing) expire() []Effect {
	err := errExpired(s.request.expires)
	if s.phase < signDrawing {
		return s.sitOut(err.Reason)
	}
	return s.refuse(err.Code, err.Reason)
}

// late ends this node's part in an attempt that is over.
func (s *signing) late() []Effect {
	report := s.report(ReportDropped)
	report.Reason = lateReason
	s.drop()
	return []Effect{report}
}

const lateReason = "nobody waits for this attempt any more"
