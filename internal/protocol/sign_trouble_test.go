package protocol

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func (s *signCase) refuses(a *attempt, node int, code wire.Code) {
	slot := wire.Slot{Kind: wire.SlotRefuse, ID: a.id, Node: node}
	s.say(slot, wire.Encode(&wire.Complaint{Session: a.session, Code: code, Reason: "because"}))
}

func (s *signCase) flying() int { return s.desk.signing.traffic.small.flying }

// Nodes that rebuild their storage refuse an attempt and the one that was opened beside it. The job comes again once,
// and leaves nothing behind.
func TestRefusedTwice(t *testing.T) {
	s := newSignCase(t)
	s.desk.timeout(timerLate)
	s.drainTasks()
	attempts := slices.Clone(s.attempt().job.attempts)
	equal(t, "attempts", len(attempts), 2)
	for _, a := range attempts {
		for node := range 3 {
			s.refuses(a, node, wire.CodeUnknownKey)
		}
	}
	small := &s.desk.signing.traffic.small
	small.window = newWindow(1, 1)
	small.flying += small.window.beside() // others fill it
	for _, timer := range slices.Clone(s.desk.timers) {
		if timer.Kind == timerRetry {
			s.desk.do(timer)
			s.desk.do(timer)
		}
	}
	equal(t, "waiting", small.queue.waiting(), 1)
	small.flying -= small.window.beside()
	s.desk.do(Tick{s.now})
	s.drainTasks()
	equal(t, "in flight", s.flying(), 1)
	equal(t, "attempts after the pause", len(s.attempt().job.attempts), 3)
	s.desk.giveUp("alice", 9)
	equal(t, "in flight after the end", s.flying(), 0)
}

// Two attempts of a job have all their shares at once: its result is made once, and nothing changes under it.
func TestTwoAttemptsAnsweredAtOnce(t *testing.T) {
	s := newSignCase(t)
	members := s.members()
	late := s.nodes[members[0]].want(wire.SlotShare)
	s.nodes[members[0]].out = nil
	s.let(members[1], wire.SlotShare)
	s.desk.timeout(timerLate)
	s.desk.hold = true
	s.drain()
	s.say(late.slot, late.body)
	equal(t, "sums", len(s.desk.held), 2)
	sums := s.desk.held
	s.desk.held = nil
	for _, c := range sums {
		s.desk.do(c.Run())
	}
	equal(t, "results in the making", len(s.desk.held), 1)
	s.desk.timeout(timerLate)
	equal(t, "tasks wanted", len(s.desk.tasks), 0)
	s.desk.hold = false
	s.desk.do(s.desk.held[0].Run())
	s.done(2)
}

// However a fleet fails to sign, a job is tried until its time is up, which is an hour at most: attempts are numbered
// up to MaxAttempts only.
func TestAttemptsLastAnHour(t *testing.T) {
	commitOrShare := []wire.SlotKind{wire.SlotCommit, wire.SlotShare}
	for name, spoil := range map[string]func(c *clockwork){
		"one node answers": func(c *clockwork) {
			for _, a := range c.nodes[1:] {
				a.mute = commitOrShare
			}
		},
		"nobody answers": func(c *clockwork) {
			for _, a := range c.nodes {
				a.mute = commitOrShare
			}
		},
		"nobody sends a share": func(c *clockwork) {
			for _, a := range c.nodes {
				a.mute = commitOrShare[1:]
			}
		},
		"all keys are lost": func(c *clockwork) {
			for _, a := range c.nodes {
				a.mute = commitOrShare
			}
			c.spoil = func() {
				s := &signCase{aged: c.aged}
				for _, a := range s.desk.signing.attempts {
					for node := range s.m.N {
						if !a.closed {
							s.refuses(a, node, wire.CodeUnknownKey)
						}
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClockwork(agedFleet(t))
			spoil(c)
			c.desk.arrive(c.jobFor(9), nil)
			begun := c.now
			c.run(2*time.Hour, func() bool { return len(c.desk.finished) > 0 })
			if took := c.now.Sub(begun); took < time.Hour {
				t.Errorf("ended after %s: %s", took, c.desk.result().Error)
			}
			c.run(10*time.Second, func() bool { return false })
			equal(t, "left", c.desk.Jobs()+len(c.desk.signing.attempts)+c.desk.signing.traffic.small.flying, 0)
		})
	}
}

// A node that answers nothing for a moment has one strike, however many jobs it held up.
func TestHiccupIsOneStrike(t *testing.T) {
	f := agedFleet(t)
	s := &signCase{aged: f}
	s.desk.do(Tick{s.now})
	for n := range 10 {
		s.desk.arrive(s.signing(20+n, "alice", item(s.btc, 0, fmt.Sprint(n))), nil)
	}
	s.nodes[2].mute = []wire.SlotKind{wire.SlotShare}
	s.drain()
	for _, timer := range slices.Clone(s.desk.timers) {
		if timer.Kind == timerLate {
			s.desk.do(timer)
		}
	}
	equal(t, "strikes", s.desk.view().nodes.nodes[2].strikes, 1)
	s.now = s.now.Add(time.Minute)
	s.desk.do(Tick{s.now})
	for s.desk.finished = nil; s.desk.view().nodes.nodes[2].strikes == 1; {
		s.desk.arrive(s.signing(100+len(s.desk.finished), "alice", item(s.btc, 0, "again")), nil)
		s.drain()
		s.desk.timeout(timerLate)
		s.drain()
	}
	equal(t, "strikes after another one", s.desk.view().nodes.nodes[2].strikes, 2)
}

// A node of the second rank that does not wait its time gets no leader struck, who sat out since there were enough
// without it. One that was really late is.
func TestEarlyStandby(t *testing.T) {
	for _, x := range []struct {
		pace, delay time.Duration
		strikes     int
	}{
		{0, 0, 0}, {0, 20 * time.Millisecond, 0}, {0, leastStandby, 1}, {time.Millisecond, leastStandby, 1},
		{100 * time.Millisecond, 2 * leastStandby, 0},
	} {
		s := newSignCase(t)
		s.desk.signing.traffic.small.pace.mean = x.pace
		leaders := ranking(s.attempt().session, nil, s.m.N)
		s.let(leaders[0], wire.SlotCommit)
		s.now = s.now.Add(x.delay)
		early := s.nodes[leaders[2]]
		early.do(early.timers[len(early.timers)-1])
		s.let(leaders[2], wire.SlotCommit)
		s.nodes[leaders[1]].out = nil
		s.drain()
		s.done(1)
		equal(t, fmt.Sprint("strikes ", x), s.desk.view().nodes.nodes[leaders[1]].strikes, x.strikes)
	}
}

// Where all that are in good standing do not suffice, those come back first whose time is up first.
func TestLeastLateComesBack(t *testing.T) {
	s := newSignCase(t)
	s.drain()
	s.desk.finished = nil
	for strikes, node := range []int{2, 0, 3} {
		for range strikes + 1 {
			s.desk.view().nodes.missed(node, s.now)
		}
	}
	s.desk.arrive(s.signing(10, "alice", item(s.btc, 0, "next")), nil)
	s.drain()
	equal(t, "sit out", fmt.Sprint(s.lastTask().Exclude), "[0 3]")
}

// Who commits and then refuses makes an attempt hopeless: another is opened at once, and it sits out in other jobs.
func TestRefusesAfterCommitting(t *testing.T) {
	for _, first := range []bool{true, false} {
		s := newSignCase(t)
		a := s.attempt()
		bad := ranking(a.session, nil, s.m.N)[0]
		if first {
			s.refuses(a, bad, wire.CodeInternal)
		}
		s.members()
		s.nodes[bad].out = nil
		if !first {
			s.refuses(a, bad, wire.CodeUnknownKey)
		}
		s.drain()
		s.done(2)
		equal(t, "sits out", s.desk.view().nodes.out(bad), true)
	}
}

// So many nodes that one of them is honest must deny a job what it asks. That one has just not read the log yet does
// not make it so.
func TestDenialNeedsAnHonestNode(t *testing.T) {
	s := newSignCase(t)
	a := s.attempt()
	s.refuses(a, 0, wire.CodeUnknownKey)
	s.refuses(a, 1, wire.CodeNotOwner)
	s.refuses(a, 2, wire.CodeNotOwner)
	equal(t, "ended", len(s.desk.finished), 0)
	s.desk.timeout(timerRetry)
	s.drainTasks()
	s.refuses(s.attempt(), 0, wire.CodeNotOwner)
	equal(t, "code", s.desk.result().Code, wire.CodeNotOwner)
}

// Two servers lead WORK and SIGN, and their clocks differ: how long a job takes is measured all the same.
func TestClocksOfServersDiffer(t *testing.T) {
	for _, skew := range []time.Duration{-time.Second, 0, time.Second} {
		f := agedFleet(t)
		f.skew = skew
		s := &signCase{f, f.signing(9, "alice", item(f.btc, 0, "one"))}
		s.desk.arrive(s.job, nil)
		s.drainTasks()
		s.now = s.now.Add(30 * time.Millisecond)
		s.drain()
		s.done(1)
		equal(t, "measured", s.desk.signing.traffic.small.window.idle, 31*time.Millisecond) // and 1 ms to store the result
	}
}

// The first jobs of a burst show nothing of an idle fleet.
func TestBurstIsNotAlone(t *testing.T) {
	f := agedFleet(t)
	for n := range 10 {
		f.desk.arrive(f.signing(20+n, "alice", item(f.btc, 0, fmt.Sprint(n))), nil)
	}
	f.drainTasks()
	f.now = f.now.Add(200 * time.Millisecond)
	f.drain()
	equal(t, "done", len(f.desk.finished), 10)
	equal(t, "idle", f.desk.signing.traffic.small.window.idle, 0)
}

// A node that answers just before it would be late, again and again, does not make late later.
func TestSlowOnPurpose(t *testing.T) {
	f := agedFleet(t)
	var wait time.Duration
	f.step = func(who string, ev Event, step func(Event) []Effect) []Effect {
		effects := step(ev)
		for _, e := range effects {
			if after, ok := e.(After); ok && who == "gateway" && after.Timer.Kind == timerLate {
				wait = after.Delay
			}
		}
		return effects
	}
	const slow = 2
	for n := range 60 {
		f.desk.arrive(f.signing(20+n, "alice", item(f.btc, 0, fmt.Sprint(n))), nil)
		f.drainTasks()
		begun := f.now
		f.now = f.now.Add(20 * time.Millisecond)
		var share []wish
		for done := false; !done; { // everything but the share of the slow one
			done = true
			for i, a := range f.nodes {
				for _, kind := range []wire.SlotKind{wire.SlotCommit, wire.SlotShare} {
					j := slices.IndexFunc(a.out, func(w wish) bool { return w.slot.Kind == kind })
					switch {
					case j < 0:
					case i == slow && kind == wire.SlotShare:
						share = append(share, a.out[j])
						a.out = slices.Delete(a.out, j, j+1)
					default:
						w := a.out[j]
						a.out = slices.Delete(a.out, j, j+1)
						a.fill(w)
						done = false
					}
				}
			}
		}
		f.now = begun.Add(wait - time.Millisecond)
		for _, w := range share {
			f.nodes[slow].fill(w)
		}
		equal(t, "done", len(f.desk.finished), n+1)
	}
	equal(t, "late after", wait, leastWait)
}

// Who sends what proves it faulty sits out in other jobs too.
func TestFaultySitsOutInOtherJobs(t *testing.T) {
	for _, kind := range []wire.SlotKind{wire.SlotCommit, wire.SlotShare} {
		s := newSignCase(t)
		bad := ranking(s.attempt().session, nil, s.m.N)[0]
		if kind == wire.SlotShare {
			s.members()
		}
		w := s.nodes[bad].want(kind)
		s.nodes[bad].out = nil
		s.say(w.slot, append(w.body, 0))
		for _, a := range s.nodes {
			for _, timer := range a.timers {
				a.do(timer)
			}
		}
		s.drain()
		equal(t, "ended", len(s.desk.finished), 1)
		equal(t, "sits out", s.desk.view().nodes.out(bad), true)
	}
}

// Another gateway got further with a job while it waited here for its turn.
func TestTaskOfAnotherGatewayWhileWaiting(t *testing.T) {
	f := agedFleet(t)
	f.desk.signing.traffic.small.window = newWindow(1, 1)
	f.desk.arrive(f.signing(8, "alice", item(f.btc, 0, "first")), nil)
	s := &signCase{f, f.signing(9, "alice", item(f.btc, 0, "one"))}
	s.desk.arrive(s.job, nil)
	s.task(wire.SignTask(s.job, 4, []uint32{0}, nil), jobID(9))
	s.desk.giveUp("alice", 8)
	equal(t, "attempt", s.attempt().number, 5)
}

// Jobs whose time is up while they wait behind one of their client's are not kept.
func TestJobsLeaveTheQueue(t *testing.T) {
	f := agedFleet(t)
	lane := &f.desk.signing.traffic.small
	lane.window = newWindow(1, 1)
	for n := range 50 {
		f.desk.arrive(f.signing(20+n, "alice", item(f.btc, 0, fmt.Sprint(n))), nil)
	}
	for n := range 45 {
		f.desk.giveUp("alice", 22+n)
	}
	equal(t, "kept", len(lane.queue.ring[0].jobs), 4)
	for n := range 50 {
		if f.desk.jobs[jobKey("alice", jobID(20+n))] != nil {
			f.desk.giveUp("alice", 20+n)
		}
	}
	equal(t, "kept in the end", len(lane.queue.ring)+lane.flying+len(f.desk.signing.jobs), 0)
}

// A node that commits and keeps its shares to itself, for ever, costs the first jobs an attempt each, and later ones
// hardly any: it sits out longer each time.
func TestWithholdingForEver(t *testing.T) {
	c := newClockwork(agedFleet(t))
	c.nodes[1].mute = []wire.SlotKind{wire.SlotShare}
	var attempts []int
	var slowest time.Duration
	for n := range 200 {
		begun := c.now
		c.desk.arrive(c.jobFor(100+n), nil)
		c.run(time.Minute, func() bool { return len(c.desk.finished) > n })
		r := c.desk.finished[n].Result
		equal(t, "status", r.Status, wire.StatusDone)
		attempts, slowest = append(attempts, r.Attempts), max(slowest, c.now.Sub(begun))
		c.run(time.Second, func() bool { return false })
	}
	retries := 0
	for _, a := range attempts[10:] {
		retries += a - 1
	}
	slices.Sort(attempts)
	equal(t, "median of attempts", attempts[len(attempts)/2], 1)
	equal(t, "most attempts", attempts[len(attempts)-1], 2)
	if retries > maxStrikes || slowest > firstWait+perItemWait {
		t.Errorf("%d retries in 190 jobs, the slowest took %s", retries, slowest)
	}
}
