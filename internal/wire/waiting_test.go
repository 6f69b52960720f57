package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// waitingJob is a sign job of alice that waits for approvals.
func (f *fleet) waitingJob(change func(*Job)) SignedJob {
	job := Job{ID: jobID(1), Kind: KindSign, ApproveUntil: f.now.Add(MaxWait), ExpiresAfter: 600,
		Items: []JobItem{item(someBatch, 0, "x")}}
	if change != nil {
		change(&job)
	}
	return f.job("alice", job.Kind, mustJSON(job))
}

// A job has an expiry, or waits for approvals within bounds.
func TestLifeOfJobs(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2, 3)
	for name, test := range map[string]struct {
		change func(*Job)
		want   Code
	}{
		"seven days":        {nil, ""},
		"an hour":           {func(j *Job) { j.ExpiresAfter = 3600 }, ""},
		"more than an hour": {func(j *Job) { j.ExpiresAfter = 3601 }, CodeMalformedJob},
		"no time":           {func(j *Job) { j.ExpiresAfter = 0 }, CodeMalformedJob},
		"less than none":    {func(j *Job) { j.ExpiresAfter = -1 }, CodeMalformedJob},
		"overflow":          {func(j *Job) { j.ExpiresAfter = math.MaxInt/2 + 1 }, CodeMalformedJob},
		"too far":           {func(j *Job) { j.ApproveUntil = f.now.Add(MaxWait + ClockSkew + time.Second) }, CodeExpiryTooFar},
		"over":              {func(j *Job) { j.ApproveUntil = f.now.Add(-10 * time.Minute) }, CodeExpired},
		"its last minutes":  {func(j *Job) { j.ApproveUntil = f.now.Add(-9 * time.Minute) }, ""},
		"both":              {func(j *Job) { j.Expires = f.now.Add(time.Minute) }, CodeMalformedJob},
		"half":              {func(j *Job) { j.ApproveUntil = time.Time{} }, CodeMalformedJob},
		"an expiry and half": {func(j *Job) {
			j.ApproveUntil, j.Expires = time.Time{}, f.now.Add(time.Minute)
		}, CodeMalformedJob},
		"neither": {func(j *Job) { j.ApproveUntil, j.ExpiresAfter = time.Time{}, 0 }, CodeExpired},
		"keygen": {func(j *Job) {
			j.Kind, j.Items, j.Chain, j.Count = KindKeygen, nil, "bitcoin", 1
		}, CodeMalformedJob},
	} {
		_, err := f.waitingJob(test.change).Parse(f.now)
		if test.want == "" && err != nil || test.want != "" && (err == nil || err.Code != test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// An approval's own time says whether it may count.
func TestTimesOfApprovals(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2, 3)
	waits, errWaits := f.waitingJob(func(j *Job) { j.ApproveUntil = f.now.Add(time.Hour) }).Parse(f.now)
	other, errOther := f.signing(2, "alice", item(someBatch, 0, "x")).Parse(f.now)
	if errWaits != nil || errOther != nil {
		t.Fatal(errWaits, errOther)
	}
	if got := waits.Over().Sub(f.now); got != time.Hour+10*time.Minute {
		t.Errorf("over after %s", got)
	}
	for _, test := range []struct {
		made, now time.Duration // from f.now
		want      bool
	}{
		{0, 0, true}, {-time.Hour, 0, true}, {ClockSkew, 0, true}, {ClockSkew + time.Second, 0, false},
		{ClockSkew + time.Second, time.Second, true}, {time.Hour, time.Hour, true}, {time.Hour + time.Second, 2 * time.Hour, false},
	} {
		a := Approval{Time: f.now.Add(test.made).Unix()}
		if got := waits.Counts(a, f.now.Add(test.now)); got != test.want {
			t.Errorf("made at %s, it is %s: %t", test.made, test.now, got)
		}
		if !other.Counts(a, f.now.Add(test.now)) {
			t.Errorf("made at %s: it does not count for a job with an expiry", test.made)
		}
	}
}

func TestDecodeGiven(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2, 3)
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	good := Given{Version: 1, Client: "alice", Job: jobID(1), Approval: Approve(key, "dora", f.m, [32]byte{1}, f.now)}
	for name, test := range map[string]struct {
		subject string
		change  func(*Given)
		ok      bool
	}{
		"good":            {"approve.dora", func(*Given) {}, true},
		"another's":       {"approve.carl", func(*Given) {}, false},
		"no approver's":   {"approve.d.o", func(*Given) {}, false},
		"another subject": {"pending.dora", func(*Given) {}, false},
		"later format":    {"approve.dora", func(g *Given) { g.Version = 2 }, false},
		"no client":       {"approve.dora", func(g *Given) { g.Client = "" }, false},
		"wildcard":        {"approve.dora", func(g *Given) { g.Client = "*" }, false},
		"no job":          {"approve.dora", func(g *Given) { g.Job = "x" }, false},
		"no time":         {"approve.dora", func(g *Given) { g.Approval.Time = -1 }, false},
		"no signature":    {"approve.dora", func(g *Given) { g.Approval.Signature = nil }, false},
	} {
		g := good
		test.change(&g)
		if _, err := DecodeGiven(test.subject, Encode(&g)); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodeGiven("approve.dora", append(Encode(&good), make([]byte, MaxGiven)...)); err == nil {
		t.Error("too long, and it passes")
	}
}

// One approver has one place among the approvals of a job: the newest counts.
func TestApprovedAgain(t *testing.T) {
	t.Parallel()
	a := func(name string, at int64) Approval { return Approval{name, make([]byte, 64), at} }
	list, ok := ApprovedAgain(nil, a("dora", 5))
	if !ok || len(list) != 1 {
		t.Fatal(list)
	}
	for _, at := range []int64{4, 5} {
		if got, ok := ApprovedAgain(list, a("dora", at)); ok || len(got) != 1 || got[0].Time != 5 {
			t.Errorf("%d after 5: %v, %t", at, got, ok)
		}
	}
	if list, ok = ApprovedAgain(list, a("dora", 6)); !ok || len(list) != 1 || list[0].Time != 6 {
		t.Errorf("a newer one: %v, %t", list, ok)
	}
	for i := 1; i < maxGiven; i++ {
		if list, ok = ApprovedAgain(list, a(fmt.Sprintf("a%02d", i), int64(10+i))); !ok {
			t.Fatal("no room for", i)
		}
	}
	if _, ok = ApprovedAgain(list, a("zoe", 5)); ok {
		t.Error("one too many, which is older than all")
	}
	if list, ok = ApprovedAgain(list, a("zoe", 9)); !ok || len(list) != maxGiven ||
		slices.ContainsFunc(list, func(a Approval) bool { return a.Name == "dora" }) {
		t.Error("a newer one has not the place of the oldest")
	}
	if list, ok = ApprovedAgain(list, a("zoe", 10)); !ok || len(list) != maxGiven {
		t.Error("one that is there can't be renewed")
	}
	if (SignedJob{Approvals: list}).checkApprovals() != nil {
		t.Error("no list that a task may have")
	}
}

// What a gateway stores of a job that waits is the job: who reads it there can tell.
func TestHeadersOfJobs(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2, 3)
	job := f.waitingJob(nil)
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	job.Approvals = []Approval{Approve(key, "carl", f.m, job.Digest(f.m), f.now), Approve(key, "dora", f.m, job.Digest(f.m), f.now)}
	back := ReadJob(KindSign, "alice", job.Payload, job.Headers())
	if err := back.Authenticate(f.m, f.access); err != nil || len(back.Approvals) != 2 {
		t.Fatal(err, back.Approvals)
	}
	ref, err := ParsePending(PendingSubject("alice", jobID(1)))
	if err != nil || ref.Client != "alice" || ref.Job != jobID(1) || ref.Kind != KindSign {
		t.Errorf("%+v, %v", ref, err)
	}
	for _, subject := range []string{"pending.alice", "pending.alice.x.y", "pending.*.x", "res.alice.x", "pending..x"} {
		if _, err := ParsePending(subject); err == nil {
			t.Errorf("%s passes", subject)
		}
	}
}

// FuzzApproval: a header has one form, but for its case and the space around it.
func FuzzApproval(f *testing.F) {
	f.Add("dora 7 " + strings.Repeat("ab", 64))
	f.Add(" dora 07 " + strings.Repeat("AB", 64))
	f.Add("dora -1 ")
	f.Fuzz(func(t *testing.T, value string) {
		a, err := ParseApproval(value)
		if err != nil {
			return
		}
		if !a.wellFormed() || !strings.EqualFold(a.Header(), strings.Trim(value, " \t")) {
			t.Fatalf("%q is read as %+v", value, a)
		}
	})
}

// FuzzWaiting: whatever a payload says, a job that passes lives no longer than it may.
func FuzzWaiting(f *testing.F) {
	fleet := newFleet(f, 2, 3)
	f.Add(fleet.waitingJob(nil).Payload, int64(0))
	f.Add(bytes.Replace(fleet.waitingJob(nil).Payload, []byte(":600"), []byte(":-9223372036854775808"), 1), int64(1))
	f.Fuzz(func(t *testing.T, payload []byte, at int64) {
		stored := time.Unix(at, 0)
		job, err := (SignedJob{Client: "alice", Kind: KindSign, Payload: payload}).Parse(stored)
		if err != nil {
			return
		}
		if left := job.Over().Sub(stored); left <= 0 || left > MaxWait+MaxJobLife+ClockSkew || job.Waits() == !job.Expires.IsZero() {
			t.Fatalf("%s lives for %s", payload, left)
		}
	})
}
