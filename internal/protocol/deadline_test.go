package protocol

import (
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// measured tells every node by how much the clock of WORK is ahead of its own.
func (f *fleet) measured(ahead time.Duration) {
	for _, a := range f.nodes {
		a.do(ClockMeasured{At: f.now, Stream: f.now.Add(ahead)})
	}
}

// show gives the nodes the session's task, stored at a time.
func (s *signTest) show(stored time.Time) {
	subject := wire.TaskSubject(s.task, jobID(7))
	msg := wire.LogMessage{Subject: subject, Seq: 1, Time: stored,
		Data: wire.SealGateway(s.gateway, "gw", s.m, subject, wire.Encode(s.task))}
	for _, a := range s.nodes {
		a.do(TaskMessage{msg, s.now})
	}
}

// dropped checks that a node left the session without a word, and holds nothing of it.
func (s *signTest) dropped(rank int) {
	s.t.Helper()
	a := s.at(rank)
	for _, w := range a.out {
		if w.slot.Kind == wire.SlotShare || w.slot.Kind == wire.SlotRefuse {
			s.t.Errorf("rank %d says %s", rank, w.slot)
		}
	}
	if _, count := a.reported(ReportDropped); count != 1 {
		s.t.Errorf("rank %d reports %d drops, want one", rank, count)
	}
	drawn, used, done := a.NonceCounts()
	if _, held := a.Sessions(); held != 0 || drawn != used+done {
		s.t.Errorf("rank %d: %d nonces held; %d drawn, %d used, %d dropped", rank, held, drawn, used, done)
	}
}

// A task counts for as long as its gateway waits, from when WORK stored it, by whichever
// clock; later it begins nothing.
func TestLateTasksAreDropped(t *testing.T) {
	life := attemptLife(1)
	for name, c := range map[string]struct {
		ahead, age time.Duration
		measured   bool
		begins     bool
	}{
		"in time":                   {0, life, true, true},
		"late":                      {0, life + time.Millisecond, true, false},
		"in time, clock 30 s ahead": {-30 * time.Second, life, true, true},
		"late, clock 30 s ahead":    {-30 * time.Second, life + time.Millisecond, true, false},
		"in time, clock 30 s slow":  {30 * time.Second, life, true, true},
		"late, clock 30 s slow":     {30 * time.Second, life + time.Millisecond, true, false},
		"nobody knows":              {0, 4 * time.Minute, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := agedFleet(t)
			s := newSession(t, f, "alice", nil, item(f.btc, 0, "one"))
			if c.measured {
				s.measured(c.ahead)
			}
			s.show(s.now.Add(c.ahead - c.age))
			for rank := range f.m.N {
				if begun := s.at(rank).signer.sessions[s.id] != nil; begun != c.begins {
					t.Errorf("rank %d begins: %t", rank, begun)
				}
				if _, count := s.at(rank).reported(ReportDropped); (count == 0) != c.begins {
					t.Errorf("rank %d reports %d drops", rank, count)
				}
			}
		})
	}
}

// A session that is past its deadline ends before its next computation, and publishes
// nothing more, wherever it is.
func TestLateSessionsAreDropped(t *testing.T) {
	late := attemptLife(1) + time.Millisecond
	for name, trouble := range map[string]func(s *signTest){
		"nonces are not drawn": func(s *signTest) {
			s.at(0).hold = true
			s.show(s.now)
			equal(s.t, "phase", s.phase(0), signDrawing)
			s.now = s.now.Add(late)
			s.at(0).compute()
		},
		"nonces were drawn too late": func(s *signTest) {
			s.at(0).hold = true
			s.show(s.now)
			drawn := s.at(0).held[0].Run()
			s.tickNodes(late - 1)
			s.now = s.now.Add(1)
			s.at(0).held = nil
			s.at(0).do(Tick{s.now})
			s.at(0).do(drawn)
		},
		"commitments are late": func(s *signTest) {
			s.show(s.now)
			s.release(0, wire.SlotCommit)
			s.now = s.now.Add(late)
			s.at(0).do(Tick{s.now})
			s.release(1, wire.SlotCommit)
		},
		"shares are not made": func(s *signTest) {
			s.show(s.now)
			s.at(0).hold = true
			s.release(0, wire.SlotCommit)
			s.release(1, wire.SlotCommit)
			equal(s.t, "phase", s.phase(0), signComputing)
			s.now = s.now.Add(late)
			s.at(0).compute()
		},
		"shares were made too late": func(s *signTest) {
			s.show(s.now)
			s.at(0).hold = true
			s.release(0, wire.SlotCommit)
			s.release(1, wire.SlotCommit)
			made := s.at(0).held[0].Run()
			s.now = s.now.Add(late)
			s.at(0).do(Tick{s.now})
			s.at(0).do(made)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := agedFleet(t)
			s := newSession(t, f, "alice", nil, item(f.btc, 0, "one"))
			s.measured(0)
			trouble(s)
			s.dropped(0)
		})
	}
}

func (s *signTest) tickNodes(after time.Duration) {
	s.now = s.now.Add(after)
	s.at(0).do(Tick{s.now})
}

// A node of the second rank whose turn comes too late does not begin.
func TestLateStandbyDoesNotBegin(t *testing.T) {
	f := agedFleet(t)
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "one"))
	s.measured(0)
	s.show(s.now)
	s.now = s.now.Add(attemptLife(1) + time.Millisecond)
	for _, a := range s.nodes {
		a.now = s.now
	}
	s.hedge(2)
	s.dropped(2)
}

// What leaves a node carries the earlier of two times, by its own clock: when its job
// expires, and when nobody waits for its attempt any more.
func TestMessagesCarryTheirDeadline(t *testing.T) {
	f := agedFleet(t)
	var expires time.Time
	f.step = func(_ string, ev Event, step func(Event) []Effect) []Effect {
		effects := step(ev)
		for _, e := range effects {
			if p, ok := e.(Publish); ok && p.Slot.Kind == wire.SlotCommit {
				expires = p.Expires
			}
		}
		return effects
	}
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "one"))
	s.measured(30 * time.Second)
	s.show(s.now.Add(29 * time.Second))
	if want := s.now.Add(attemptLife(1) - time.Second); !expires.Equal(want) {
		t.Errorf("the commitment may leave until %s, want %s", expires, want)
	}
}

// Where stream times go back, another server leads, or its clock was set. What was
// measured of it does not count any more, until it is measured again.
func TestStreamClockSteps(t *testing.T) {
	var c streamClock
	c.measure(t0, t0)
	c.saw(t0, t0)
	c.saw(t0.Add(-stepBack), t0)
	if c.own(t0).IsZero() {
		t.Error("a second back is a step")
	}
	c.saw(t0, t0)
	c.saw(t0.Add(-20*time.Second), t0.Add(time.Second))
	if got := c.deadline(t0.Add(-20*time.Second), 1); !got.IsZero() {
		t.Errorf("after a step back there is a deadline, %s", got)
	}
	c.measure(t0.Add(time.Second), t0) // from before
	if !c.own(t0).IsZero() {
		t.Error("a measurement from before the step counts")
	}
	c.measure(t0.Add(2*time.Second), t0.Add(-18*time.Second))
	if got, want := c.deadline(t0.Add(-20*time.Second), 1), t0.Add(attemptLife(1)); !got.Equal(want) {
		t.Errorf("measured again: %s, want %s", got, want)
	}
}

// A node whose measurements fail drops nothing for long: another server may lead since,
// with another clock, and its times need not go back if nothing was stored for a while.
func TestOldMeasurementsDropNothing(t *testing.T) {
	f := agedFleet(t)
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "one"))
	s.measured(0)
	s.now = s.now.Add(measuredFor + time.Second)
	s.show(s.now.Add(-30 * time.Second))
	if s.at(0).signer.sessions[s.id] == nil {
		t.Error("the task does not begin")
	}
}
