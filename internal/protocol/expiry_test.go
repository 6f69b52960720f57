package protocol

import (
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// expiring is a session of a job that lives for so long.
func expiring(t testing.TB, f aged, life time.Duration, items ...wire.JobItem) *signTest {
	s := newSession(t, f, "alice", nil, items...)
	job := f.job("alice", wire.KindSign,
		mustJSON(wire.Job{ID: jobID(7), Kind: wire.KindSign, Expires: f.now.Add(life), Items: items}))
	s.task = wire.SignTask(job, 0, s.task.Items, nil)
	s.session = s.task.Session(f.m)
	s.id = wire.ShortID(s.session)
	s.order = ranking(s.session, nil, f.m.N)
	return s
}

func (s *signTest) tick(after time.Duration) {
	s.now = s.now.Add(after)
	for _, a := range s.nodes {
		a.do(Tick{s.now})
	}
}

// clocks are the ways in which nodes hear of the time: the tick looks at all sessions,
// a message at none.
var clocks = map[string]func(*signTest, time.Duration){
	"tick": (*signTest).tick,
	"message": func(s *signTest, after time.Duration) {
		s.now = s.now.Add(after)
		for _, a := range s.nodes {
			subject := wire.Slot{Kind: wire.SlotCommit, ID: someBatch}.String()
			a.do(SignMessage{wire.LogMessage{Subject: subject, Time: s.now}, s.now})
		}
	},
}

// refusedAsExpired checks that a node said so, made no share, and holds nothing.
func (s *signTest) refusedAsExpired(rank int) {
	s.t.Helper()
	a := s.at(rank)
	for _, w := range a.out {
		if w.slot.Kind == wire.SlotShare {
			s.t.Errorf("rank %d published a share of an expired job", rank)
		}
	}
	c := must(wire.DecodeComplaint(a.want(wire.SlotRefuse).body))
	equal(s.t, "code", c.Code, wire.CodeExpired)
	if _, nonces := a.Sessions(); nonces != 0 {
		s.t.Errorf("rank %d holds nonces of an expired job", rank)
	}
	drawn, used, dropped := a.NonceCounts()
	if drawn != used+dropped {
		s.t.Errorf("rank %d: %d nonces drawn, %d used, %d dropped", rank, drawn, used, dropped)
	}
}

// A share never leaves a node by whose clock the job has expired, however late the
// broker shows the commitments, the task, or both.
func TestNoShareAfterExpiry(t *testing.T) {
	for name, test := range map[string]struct {
		life, late time.Duration
		ticks      bool // the clock is seen before the commitments are
	}{
		"just after":           {time.Minute, time.Minute + time.Millisecond, true},
		"minutes after":        {time.Second, 4*time.Minute + 50*time.Second, true},
		"seen with a new task": {time.Second, 2 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := agedFleet(t)
			f.sessions = slices.Clone(f.sessions) // all aged fleets share them
			for _, batch := range []string{f.btc, f.sol} {
				s := expiring(t, f, test.life, item(batch, 0, "one"), item(batch, 1, "two"))
				s.deliver()
				commits := []wish{s.at(0).want(wire.SlotCommit), s.at(1).want(wire.SlotCommit)}
				if test.ticks {
					s.tick(test.late)
				} else {
					s.now = s.now.Add(test.late)
					other := newSession(t, f, "alice", []uint8{0, 1, 2, 3}, item(batch, 0, "other"))
					s.fleet.task(other.task, jobID(7))
				}
				for _, a := range s.nodes { // session keys are as fresh as ever
					s.sessions[a.cfg.Index] = s.fleet.session(a.cfg.Index)
				}
				for i, w := range commits {
					s.at(i).fill(w)
				}
				s.refusedAsExpired(0)
				s.refusedAsExpired(1)
				for i, a := range f.nodes {
					if _, used, _ := a.NonceCounts(); used != 0 {
						t.Errorf("node %d spent %d nonces on an expired job", i, used)
					}
					a.out, a.reports = nil, nil
					a.signer.sessions = map[string]*signing{}
				}
				f.now = t0
			}
		})
	}
}

// A share that was in the making when the job expired is not published.
func TestShareInTheMakingExpires(t *testing.T) {
	for name, clock := range clocks {
		t.Run(name, func(t *testing.T) {
			f := agedFleet(t)
			s := expiring(t, f, time.Minute, item(f.btc, 0, "one"))
			s.deliver()
			s.at(0).hold = true
			s.release(0, wire.SlotCommit)
			s.release(1, wire.SlotCommit)
			equal(t, "phase", s.phase(0), signComputing)
			clock(s, time.Minute+time.Second)
			s.at(0).hold = false
			s.at(0).compute()
			s.refusedAsExpired(0)
		})
	}
}

// No nonce is drawn for a job that expired while its items were checked.
func TestExpiryBeforeNonces(t *testing.T) {
	for name, clock := range clocks {
		t.Run(name, func(t *testing.T) {
			f := agedFleet(t)
			var items []wire.JobItem
			for i := range 2 * inlineChecks {
				items = append(items, item(f.sol, i%2, name))
			}
			s := expiring(t, f, time.Minute, items...)
			for _, a := range f.nodes {
				a.hold = true
			}
			s.deliver()
			for s.at(0).signer.sessions[s.id] == nil { // the task is opened elsewhere if it is large
				s.at(0).compute()
			}
			equal(t, "phase", s.phase(0), signLoading)
			equal(t, "items being checked", len(s.at(0).held), 1)
			clock(s, time.Minute+time.Second)
			s.at(0).hold = false
			s.at(0).compute()
			s.at(0).expect(ReportSatOut)
			if drawn, _, _ := s.at(0).NonceCounts(); drawn != 0 || len(s.at(0).out) != 0 {
				t.Errorf("%d nonces were drawn, %d messages made", drawn, len(s.at(0).out))
			}
		})
	}
}

// Nothing is committed to for a job that expired while the nonces were drawn, and
// a node that had not begun says nothing.
func TestExpiryBeforeCommitment(t *testing.T) {
	f := agedFleet(t)
	s := expiring(t, f, time.Minute, item(f.sol, 0, "one"))
	for _, a := range f.nodes {
		a.hold = true
	}
	s.deliver()
	equal(t, "phase", s.phase(0), signDrawing)
	equal(t, "phase of the second rank", s.phase(2), signStandby)
	clocks["message"](s, time.Minute+time.Second)
	s.at(0).hold = false
	s.at(0).compute()
	s.refusedAsExpired(0)
	s.tick(time.Second)
	s.at(1).hold = false
	s.at(1).compute()
	s.refusedAsExpired(1)
	if out := s.at(2).out; len(out) > 0 {
		t.Errorf("a node of the second rank published %v", out)
	}
	s.at(2).expect(ReportSatOut)
}

// A task that is shown after the job's end begins nothing, not even within the
// skew that clocks may have.
func TestTaskAfterExpiry(t *testing.T) {
	f := agedFleet(t)
	s := expiring(t, f, time.Second, item(f.btc, 0, "one"))
	subject := wire.TaskSubject(s.task, jobID(7))
	msg := wire.LogMessage{Subject: subject, Seq: 1, Time: f.now,
		Data: wire.SealGateway(f.gateway, "gw", f.m, subject, wire.Encode(s.task))}
	for _, a := range f.nodes {
		a.do(TaskMessage{msg, f.now.Add(wire.ClockSkew / 2)})
		equal(t, "sessions", len(a.signer.sessions), 0)
		a.expect(ReportBadTask)
	}
}

// What leaves a node for a session carries the time after which it must not, and the
// access list by which it may.
func TestSharesCarryTheirExpiry(t *testing.T) {
	f := agedFleet(t)
	kinds := map[wire.SlotKind]time.Time{}
	f.step = func(_ string, ev Event, step func(Event) []Effect) []Effect {
		effects := step(ev)
		for _, e := range effects {
			if p, ok := e.(Publish); ok {
				kinds[p.Slot.Kind] = p.Expires
				equal(t, "made by the list of now", p.Access, f.access)
			}
		}
		return effects
	}
	s := expiring(t, f, 7*time.Minute, item(f.btc, 0, "one"))
	s.deliver()
	s.release(0, wire.SlotCommit)
	s.release(1, wire.SlotCommit)
	for _, kind := range []wire.SlotKind{wire.SlotCommit, wire.SlotShare} {
		if want := t0.Add(7 * time.Minute); !kinds[kind].Equal(want) {
			t.Errorf("%s expires at %s, want %s", kind, kinds[kind], want)
		}
	}
}

// A gateway opens no attempt of a job that has expired by its clock.
func TestNoAttemptAfterExpiry(t *testing.T) {
	f := agedFleet(t)
	f.desk = f.newDesk()
	for _, m := range f.keys {
		f.desk.do(ReadKeys(f.m, m))
	}
	job := f.signing(7, "alice", item(f.btc, 0, "one"))
	checked := f.desk.checked(job)
	f.now = f.now.Add(11 * time.Minute)
	f.desk.do(Tick{f.now})
	f.desk.do(JobArrived{Token: 1, Job: checked, Stored: t0}) // its gateway was away
	equal(t, "code", f.desk.result().Code, wire.CodeExpired)
	equal(t, "tasks", len(f.desk.tasks), 0)
}
