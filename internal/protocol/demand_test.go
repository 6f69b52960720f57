package protocol

import (
	"fmt"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func (d *desk) told(what ReportKind) (found []Report) {
	for _, r := range d.reports {
		if r.What == what {
			found = append(found, r)
		}
	}
	return found
}

// TestDemand: how many sign jobs wait for their turn, and since when the one that came
// first does; each that expires before it had one is told of.
func TestDemand(t *testing.T) {
	f := agedFleet(t)
	f.desk.signing.traffic.bulk.window, f.desk.signing.traffic.large.bounds = newWindow(1, 1), Range{1, 1}
	bulk := func(n int) wire.SignedJob {
		var items []wire.JobItem
		for i := range wire.InteractiveItems + 1 {
			items = append(items, item(f.btc, 0, fmt.Sprint(n, i)))
		}
		return f.signing(n, "alice", items...)
	}
	pass := func(d time.Duration) {
		f.now = f.now.Add(d)
		f.desk.do(Tick{f.now})
	}
	pass(0)
	full := Demand{Retries: maxRetries}
	equal(t, "at first", f.desk.Demand(), full)
	for n := range 3 {
		f.desk.arrive(bulk(20+n), nil)
		pass(20 * time.Second)
	}
	equal(t, "with two that wait", f.desk.Demand(), Demand{Queued: 2, Longest: 40 * time.Second, Retries: maxRetries})
	f.desk.giveUp("alice", 20) // the second has its turn
	equal(t, "with one that waits", f.desk.Demand(), Demand{Queued: 1, Longest: 20 * time.Second, Retries: maxRetries})
	equal(t, "unserved", len(f.desk.told(ReportUnserved)), 0)
	pass(11 * time.Minute) // the second and the third expire
	equal(t, "with none", f.desk.Demand(), full)
	if got := f.desk.told(ReportUnserved); len(got) != 1 || got[0].Job != jobKey("alice", jobID(22)) {
		t.Errorf("unserved: %v, want the third", got)
	}
}

// TestUnservedByAnybody: a job that had expired when a gateway got it counts too.
func TestUnservedByAnybody(t *testing.T) {
	f := agedFleet(t)
	checked := f.desk.checked(f.signing(7, "alice", item(f.btc, 0, "one")))
	f.now = f.now.Add(11 * time.Minute)
	f.desk.do(Tick{f.now})
	f.desk.do(JobArrived{Token: 1, Job: checked, Stored: t0})
	equal(t, "code", f.desk.result().Code, wire.CodeExpired)
	equal(t, "unserved", len(f.desk.told(ReportUnserved)), 1)
}

// TestShortLivesShowNothing: a client raises no alarm by jobs that nobody could have begun.
func TestShortLivesShowNothing(t *testing.T) {
	f := agedFleet(t)
	life := leastLife - time.Second
	checked := f.desk.checked(f.signing(7, "alice", item(f.btc, 0, "one")))
	checked.job.Expires = t0.Add(life)
	f.now = t0.Add(life + time.Second)
	f.desk.do(Tick{f.now})
	f.desk.do(JobArrived{Token: 1, Job: checked, Stored: t0})
	equal(t, "code", f.desk.result().Code, wire.CodeExpired)
	f.desk.signing.traffic.small.window = newWindow(0, 0) // the next one waits for its turn
	checked = f.desk.checked(f.signing(8, "alice", item(f.btc, 0, "two")))
	checked.job.Expires = f.now.Add(life)
	f.desk.do(JobArrived{Token: 2, Job: checked, Stored: f.now})
	f.now = f.now.Add(life + time.Second)
	f.desk.do(Tick{f.now})
	equal(t, "answers", len(f.desk.finished), 2)
	equal(t, "unserved", len(f.desk.told(ReportUnserved)), 0)
}

// TestOnlyProofIsBlamed: who refuses, or answers late or not at all, is proven nothing.
func TestOnlyProofIsBlamed(t *testing.T) {
	s := newSignCase(t)
	members := s.members()
	s.nodes[members[0]].out = nil
	s.let(members[1], wire.SlotShare)
	s.desk.timeout(timerLate)
	s.drain()
	s.done(2)
	equal(t, "blamed", len(s.desk.told(ReportBlamed)), 0)
}
