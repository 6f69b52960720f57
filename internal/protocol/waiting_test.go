package protocol

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// councilFleet is a fleet whose nodes want two of anna, ben and carl to approve PSBTs.
func councilFleet(t *testing.T) (aged, map[string]ed25519.PrivateKey) {
	f := agedFleet(t)
	keys := map[string]ed25519.PrivateKey{"anna": approver("anna"), "ben": approver("ben"), "carl": approver("carl")}
	f.policed(all(one(`"psbt"`, "[rule.approvals]\nrequire = 2\nfrom = [\"anna\", \"ben\", \"carl\"]\nalways = true") + approvers(keys)))
	return f, keys
}

// waitingFor is a spending that waits for approvals until some time from now, and is over ten
// minutes after the last one.
func (f aged) waitingFor(n int, wait time.Duration) wire.SignedJob {
	p := f.packet()
	p.spend(0, []uint32{0, uint32(n)}, 5000)
	p.pay(payee(), 4000)
	return f.request(n, func(j *wire.Job) {
		j.PSBT, j.Keys = p.bytes(), keysOf(f.btc, 0)
		j.Expires, j.ApproveUntil, j.ExpiresAfter = time.Time{}, f.now.Add(wait), 600
	})
}

// made is whose approval was made how long from now.
type made struct {
	who string
	ago time.Duration
}

func (f aged) approvedBy(job wire.SignedJob, keys map[string]ed25519.PrivateKey, all ...made) wire.SignedJob {
	for _, m := range all {
		a := wire.Approve(keys[m.who], m.who, f.m, job.Digest(f.m), f.now.Add(-m.ago))
		job.Approvals = wire.MergeApprovals(job.Approvals, []wire.Approval{a})
	}
	return job
}

// A job that waits is over a while after the last approval that counts, by every node's own
// reckoning. Until then, and after that until no more may come, it waits.
func TestExpiryFromTheLastApproval(t *testing.T) {
	const day = 24 * time.Hour
	f, keys := councilFleet(t)
	n := 20
	for name, test := range map[string]struct {
		wait time.Duration
		by   []made
		done bool
	}{
		"none":                      {time.Hour, nil, false},
		"one":                       {time.Hour, []made{{"anna", 0}}, false},
		"two":                       {time.Hour, []made{{"anna", 0}, {"ben", 0}}, true},
		"the first one is old":      {time.Hour, []made{{"anna", 6 * day}, {"ben", 9 * time.Minute}}, true},
		"the last one is too old":   {time.Hour, []made{{"anna", 6 * day}, {"ben", 11 * time.Minute}}, false},
		"renewed":                   {time.Hour, []made{{"anna", 6 * day}, {"ben", 5 * day}, {"ben", time.Minute}}, true},
		"a third one renews":        {time.Hour, []made{{"anna", 6 * day}, {"ben", 5 * day}, {"carl", 0}}, true},
		"clocks differ a little":    {time.Hour, []made{{"anna", 0}, {"ben", -time.Minute}}, true},
		"of the future":             {time.Hour, []made{{"anna", 0}, {"ben", -3 * time.Minute}}, false},
		"the future renews nothing": {time.Hour, []made{{"anna", day}, {"ben", day}, {"carl", -time.Hour}}, false},
		"in its last minutes":       {-5 * time.Minute, []made{{"anna", day}, {"ben", 6 * time.Minute}}, true},
		"made too late":             {-5 * time.Minute, []made{{"anna", day}, {"ben", 4 * time.Minute}}, false},
	} {
		n++
		job := f.approvedBy(f.waitingFor(n, test.wait), keys, test.by...)
		switch r := f.ends(job); {
		case test.done && r.Status != wire.StatusDone:
			t.Errorf("%s: %s: %s: %s", name, r.Status, r.Code, r.Error)
		case !test.done && (r.Status != wire.StatusPending || r.Code != wire.CodeApprovalRequired):
			t.Errorf("%s: %s: %s: %s", name, r.Status, r.Code, r.Error)
		}
	}
}

// Strangers, clients and copies make no job live longer, whatever times they sign.
func TestWhoseApprovalsRenew(t *testing.T) {
	const day = 24 * time.Hour
	f, keys := councilFleet(t)
	old := f.approvedBy(f.waitingFor(30, time.Hour), keys, made{"anna", 2 * day}, made{"ben", day})
	digest := old.Digest(f.m)
	other := f.approvedBy(f.waitingFor(31, time.Hour), keys, made{"carl", 0}).Approvals[0]
	stranger := wire.Approve(approver("zoe"), "zoe", f.m, digest, f.now)
	lie := wire.Approve(approver("zoe"), "carl", f.m, digest, f.now)
	moved := old.Approvals[1]
	moved.Time = f.now.Unix()
	own := wire.Approve(f.clients["alice"], "carl", f.m, digest, f.now)
	for name, a := range map[string]wire.Approval{
		"of another job": other, "a stranger's": stranger, "under another's name": lie, "with another time": moved, "the client's": own,
	} {
		job := old
		job.Approvals = wire.MergeApprovals(old.Approvals, []wire.Approval{a})
		if r := f.ends(job); r.Status != wire.StatusPending {
			t.Errorf("%s: %s: %s: %s", name, r.Status, r.Code, r.Error)
		}
	}
	if r := f.ends(f.approvedBy(old, keys, made{"carl", 0})); r.Status != wire.StatusDone {
		t.Errorf("carl's own: %s: %s: %s", r.Status, r.Code, r.Error)
	}
}

// A job that would wait is signed at once where no policy wants approvals.
func TestWaitsForNothing(t *testing.T) {
	f := agedFleet(t)
	f.policed(all(one(`"psbt"`, `max_fee = ["1 BTC"]`)))
	f.wants(f.waitingFor(9, time.Hour), wire.StatusDone, "", "")
	f.wants(f.waitingFor(10, -time.Minute), wire.StatusDone, "", "")
	f.wants(f.waitingFor(12, -time.Hour), wire.StatusFailed, wire.CodeExpired, "")
	f.policed(all(""))
	f.wants(f.waitingFor(11, time.Hour), wire.StatusDone, "", "")
}

// No share leaves once the last approval is too old.
func TestShareAfterTheLastApproval(t *testing.T) {
	f, keys := councilFleet(t)
	job := f.approvedBy(f.waitingFor(7, time.Hour), keys, made{"anna", 0}, made{"ben", 9*time.Minute + 30*time.Second})
	job.Approvals[0] = f.approvedBy(f.waitingFor(7, time.Hour), keys, made{"anna", 9*time.Minute + 40*time.Second}).Approvals[0]
	s := f.readSession(job, 0)
	s.deliver()
	a := s.at(0)
	a.want(wire.SlotCommit)
	equal(t, "a share may leave for another", a.signer.sessions[s.id].request.until().Sub(f.now), 30*time.Second)
	for rank := 1; rank < s.m.T; rank++ {
		s.release(rank, wire.SlotCommit)
	}
	f.now = f.now.Add(time.Minute)
	a.do(Tick{f.now})
	a.want(wire.SlotRefuse)
	for _, w := range a.out {
		if w.slot.Kind == wire.SlotShare {
			t.Error("a share left after the job had expired")
		}
	}
}

// A gateway runs a job for as long as approvals count that are made when it came, and a copy
// prolongs that.
func TestRunsEnd(t *testing.T) {
	f, keys := councilFleet(t)
	job := f.approvedBy(f.waitingFor(9, time.Hour), keys, made{"anna", 0}, made{"ben", 0})
	f.desk.arrive(job, nil)
	j := f.desk.jobs[jobKey("alice", jobID(9))]
	equal(t, "life", j.until.Sub(f.now), 10*time.Minute)
	f.now = f.now.Add(5 * time.Minute)
	f.desk.arrive(job, nil)
	equal(t, "life with a copy", j.until.Sub(f.now), 10*time.Minute)
	f.now = f.now.Add(10*time.Minute + time.Second)
	f.desk.do(Tick{f.now})
	equal(t, "status", f.desk.result().Status, wire.StatusFailed)
}

// An approver of another rule renews nothing: nobody asked that one about this job.
func TestApproversOfOtherRules(t *testing.T) {
	f := agedFleet(t)
	keys := map[string]ed25519.PrivateKey{"anna": approver("anna"), "ben": approver("ben"), "zoe": approver("zoe")}
	rule := func(name, client, from string) string {
		return fmt.Sprintf("[[rule]]\nname = %q\nclients = [%q]\nkeys = [\"*\"]\nkinds = [\"psbt\"]\n"+
			"[rule.approvals]\nrequire = 2\nfrom = [%s]\nalways = true\n", name, client, from)
	}
	f.policed(all(rule("hers", "alice", `"anna", "ben"`) + rule("his", "bob", `"ben", "zoe"`) + approvers(keys)))
	const day = 24 * time.Hour
	old := f.approvedBy(f.waitingFor(40, time.Hour), keys, made{"anna", 6 * day}, made{"ben", 5 * day}, made{"zoe", 0})
	if r := f.ends(old); r.Status != wire.StatusPending || r.Code != wire.CodeApprovalRequired {
		t.Errorf("renewed by another rule's: %s: %s: %s", r.Status, r.Code, r.Error)
	}
	f.wants(f.approvedBy(old, keys, made{"ben", 0}), wire.StatusDone, "", "")
}

// An approval that gateways took too late ends nothing: the job waits on, for another one.
func TestApprovalTakenLate(t *testing.T) {
	f, keys := councilFleet(t)
	const late = 11 * time.Minute
	job := f.approvedBy(f.waitingFor(41, time.Hour), keys, made{"anna", late}, made{"ben", late})
	f.desk.finished = nil
	f.desk.do(JobArrived{Token: 1, Job: CheckJob(f.m, f.access, job, f.now.Add(-late)), Stored: f.now.Add(-late)})
	f.toil()
	if r := f.desk.result(); r.Status != wire.StatusPending || r.Code != wire.CodeApprovalRequired {
		t.Errorf("%s: %s: %s", r.Status, r.Code, r.Error)
	}
	f.wants(f.approvedBy(job, keys, made{"carl", 0}), wire.StatusDone, "", "")
}

// An approval that comes when the nodes were asked without it is not lost: what they say to
// the task before does not end the run.
func TestApprovalDuringARun(t *testing.T) {
	f, keys := councilFleet(t)
	one := f.approvedBy(f.waitingFor(42, time.Hour), keys, made{"anna", 0})
	f.desk.finished = nil
	f.desk.arrive(one, nil) // its task is on the way
	f.desk.arrive(f.approvedBy(one, keys, made{"ben", 0}), nil)
	for range 4 {
		f.toil()
		f.now = f.now.Add(time.Second)
		f.desk.do(Tick{f.now})
		timers := f.desk.timers
		f.desk.timers = nil
		for _, timer := range timers {
			if timer.Kind == timerRetry {
				f.desk.do(timer)
			}
		}
	}
	if r := f.desk.result(); r.Status != wire.StatusDone {
		t.Errorf("%s: %s: %s", r.Status, r.Code, r.Error)
	}
}
