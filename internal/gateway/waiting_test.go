package gateway

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// council is a world whose node wants two of three people to approve what it signs.
type council struct {
	*world
	key       string // of the client
	approvers map[string]ed25519.PrivateKey
}

const councilPolicy = `version = 1
[[rule]]
name = "messages"
clients = ["client0"]
keys = ["*"]
kinds = ["solana_message"]
[rule.approvals]
require = 2
from = ["anna", "ben", "carl"]
always = true
`

func newCouncil(t testing.TB) *council {
	t.Helper()
	c := &council{world: newWorld(t), approvers: map[string]ed25519.PrivateKey{}}
	text := councilPolicy
	for _, name := range []string{"anna", "ben", "carl"} {
		public, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		c.approvers[name] = key
		text += fmt.Sprintf("[[approver]]\nname = %q\npublic_key = \"%x\"\n", name, []byte(public))
	}
	p, err := policy.Parse([]byte(text), c.Manifest.Network)
	if err != nil {
		t.Fatal(err)
	}
	node, err := worker.New(t.Context(), worker.Config{
		Manifest: c.Manifest, Access: c.Access, Storage: c.Storage, Bus: c.Bus, Policy: p,
		Provider: keyprovider.Supervise(c.Provider, keyprovider.Policy{}, nil),
		Observe:  &machinetest.Observer{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sync.OnceFunc(machinetest.Run(t, node.Run).Stop))
	return c
}

// generate has the client's key made.
func (c *council) generate() {
	c.Helper()
	job, id := c.newJob(time.Minute)
	c.Publish(job)
	r := c.Result(id)
	if r.Status != wire.StatusDone {
		c.Fatalf("%s: %s", r.Code, r.Error)
	}
	c.key = r.Keys[0].ID
}

// message is a job that waits for approvals.
func (c *council) message(text string, wait time.Duration) (wire.SignedJob, string) {
	c.Helper()
	id := uuid.Must(uuid.NewV7()).String()
	payload := fmt.Appendf(nil, `{"job":%q,"kind":"sign","approve_until":%q,"expires_after":300,"solana_message":%q,"keys":[{"key":%q}]}`,
		id, time.Now().Add(wait).UTC().Format(time.RFC3339Nano), text, c.key)
	return wire.SignJob(c.ClientKey, c.Manifest, wire.KindSign, machinetest.Client, payload), id
}

// approve publishes an approval.
func (c *council) approve(name string, job wire.SignedJob, id string, at time.Time) {
	c.Helper()
	c.give(name, id, wire.Approve(c.approvers[name], name, c.Manifest, job.Digest(c.Manifest), at))
}

func (c *council) give(name, id string, a wire.Approval) {
	c.Helper()
	given := wire.Given{Version: wire.GivenVersion, Client: machinetest.Client, Job: id, Approval: a}
	if _, err := c.Bus.Publish(c.Context(), wire.ApproveSubject(name), wire.Encode(&given), nil); err != nil {
		c.Fatal(err)
	}
}

// pending waits for the notice that a job waits.
func (c *council) pending(id string) *wire.Result {
	c.Helper()
	r := c.Result(id)
	if r.Status != wire.StatusPending || r.Code != wire.CodeApprovalRequired {
		c.Fatalf("%s, %s: %s", r.Status, r.Code, r.Error)
	}
	return r
}

// stands reports whether a job is in PENDING, and with how many approvals.
func (c *council) stands(id string) (there bool, approvals int) {
	c.Helper()
	m, found, err := c.Bus.LastAtLeader(c.Context(), bus.Pending, wire.PendingSubject(machinetest.Client, id))
	if err != nil {
		c.Fatal(err)
	}
	return found, len(wire.ReadPending(machinetest.Client, m.Data, m.Header).All().Approvals)
}

// left counts what nobody acknowledged.
func (c *council) left() int {
	c.Helper()
	given, err := c.Bus.Slots(c.Context(), bus.Approvals, "approve.*")
	if err != nil {
		c.Fatal(err)
	}
	return c.open() + len(given)
}

func (c *council) signed(id string) {
	c.Helper()
	r := c.Result(id)
	if r.Status != wire.StatusDone || len(r.Sigs) != 1 {
		c.Fatalf("%s, %s: %s", r.Status, r.Code, r.Error)
	}
	eventually(c, "the job is no longer among those that wait", func() bool {
		there, _ := c.stands(id)
		return !there && c.left() == 0
	})
}

// TestApprovalsComeOneByOne: a job waits, also while no gateway runs, until the last approval
// that it takes.
func TestApprovalsComeOneByOne(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	_, stop := c.start()
	c.generate()
	job, id := c.message("hello", time.Hour)
	c.Publish(job)
	c.pending(id)
	eventually(t, "the job stands in PENDING alone", func() bool {
		there, n := c.stands(id)
		return there && n == 0 && c.left() == 0
	})
	c.approve("anna", job, id, time.Now())
	c.pending(id)
	stop()
	c.approve("ben", job, id, time.Now())
	c.start()
	c.signed(id)
	c.Publish(job) // again: it has its result
	c.signed(id)
	c.approve("carl", job, id, time.Now()) // too late: there is no job any more
	eventually(t, "nothing is left", func() bool { return c.left() == 0 })
}

// TestCopyOfAJobThatWaits: it is the same job, and approvals that it carries are kept.
func TestCopyOfAJobThatWaits(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.start()
	c.generate()
	job, id := c.message("hello", time.Hour)
	c.Publish(job)
	c.pending(id)
	job.Approvals = []wire.Approval{wire.Approve(c.approvers["anna"], "anna", c.Manifest, job.Digest(c.Manifest), time.Now())}
	if _, err := c.Bus.Publish(c.Context(), wire.JobSubject(wire.KindSign, job.Client), job.Payload, job.Headers()); err != nil {
		t.Fatal(err)
	}
	c.pending(id)
	if _, n := c.stands(id); n != 1 {
		t.Errorf("%d approvals", n)
	}
	other := wire.SignJob(c.ClientKey, c.Manifest, wire.KindSign, job.Client, append([]byte(" "), job.Payload...))
	c.Publish(other)
	if r := c.Result(id); r.Code != wire.CodeJobIDReused {
		t.Errorf("other content: %s, %s", r.Code, r.Error)
	}
	c.approve("ben", job, id, time.Now())
	c.signed(id)
}

// TestJunkApprovals: what does not count changes nothing, and neither ends a job nor keeps
// others from approving it.
func TestJunkApprovals(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.start()
	c.generate()
	job, id := c.message("hello", time.Hour)
	other, otherID := c.message("other", time.Hour)
	c.Publish(job)
	c.pending(id)
	c.Publish(other)
	c.pending(otherID)
	for what, send := range map[string]func(){
		"no approval": func() {
			if _, err := c.Bus.Publish(c.Context(), "approve.anna", []byte("junk"), nil); err != nil {
				t.Fatal(err)
			}
		},
		"of no job":     func() { c.approve("anna", job, uuid.NewString(), time.Now()) },
		"of another's":  func() { c.give("carl", id, wire.Approval{Name: "anna", Signature: make([]byte, 64)}) },
		"no signature":  func() { c.give("zoe", id, wire.Approval{Name: "zoe"}) },
		"long past":     func() { c.approve("carl", job, id, time.Now().Add(-time.Hour)) },
		"of the future": func() { c.approve("ben", job, id, time.Now().Add(10*time.Minute)) },
	} {
		send()
		eventually(t, what+" is acknowledged", func() bool { return c.left() == 0 })
	}
	// anna's, of the other job, replayed
	c.give("anna", id, wire.Approve(c.approvers["anna"], "anna", c.Manifest, other.Digest(c.Manifest), time.Now()))
	eventually(t, "a replayed one is acknowledged", func() bool { return c.left() == 0 })
	if there, n := c.stands(id); !there || n != 2 { // carl's and anna's: who knows their keys will tell
		t.Fatalf("%t, %d approvals", there, n)
	}
	for len(c.Results) > 0 { // notices
		<-c.Results
	}
	c.approve("anna", job, id, time.Now().Add(time.Second))
	c.approve("carl", job, id, time.Now())
	for {
		r := c.Result(id)
		if r.Status == wire.StatusPending {
			continue
		}
		if r.Status != wire.StatusDone {
			t.Fatalf("%s, %s: %s", r.Status, r.Code, r.Error)
		}
		break
	}
}

// TestTwoGatewaysOneJob: approvals that come to two gateways at once have the job signed.
func TestTwoGatewaysOneJob(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.start()
	c.generate()
	second := New(c.config()) // of the same name: the bus does not care
	r := machinetest.Run(t, second.Run)
	t.Cleanup(r.Stop)
	eventually(t, "the second gateway is ready", func() bool { return second.Ready() == nil })
	for i := range 4 {
		job, id := c.message(fmt.Sprint("hello ", i), time.Hour)
		c.Publish(job)
		c.pending(id)
		var both sync.WaitGroup
		for _, name := range []string{"anna", "ben"} {
			both.Go(func() { c.approve(name, job, id, time.Now()) })
		}
		both.Wait()
		for {
			if r := c.Result(id); r.Status == wire.StatusDone {
				break
			} else if r.Status != wire.StatusPending {
				t.Fatalf("%s, %s: %s", r.Status, r.Code, r.Error)
			}
		}
		eventually(t, "the job is no longer among those that wait", func() bool { there, _ := c.stands(id); return !there })
	}
	eventually(t, "nothing is left", func() bool { return c.left() == 0 })
}

// TestTooManyPending: one client's jobs do not fill PENDING.
func TestTooManyPending(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.start()
	c.generate()
	for i := range wire.MaxPending {
		job, id := c.message(fmt.Sprint("fill ", i), time.Hour)
		if _, err := c.Bus.Publish(t.Context(), wire.PendingSubject(job.Client, id), job.Payload, job.Headers()); err != nil {
			t.Fatal(err)
		}
	}
	job, id := c.message("one more", time.Hour)
	c.Publish(job)
	r := c.Result(id)
	if r.Status != wire.StatusFailed || r.Code != wire.CodeTooManyPending || len(r.Rejected) == 0 {
		t.Fatalf("%s, %s: %s", r.Status, r.Code, r.Error)
	}
	if there, _ := c.stands(id); there {
		t.Error("it stands in PENDING")
	}
}

// TestLapse: a job that waited in vain is answered, and leaves PENDING. What another's subject
// has is taken out, and what no client of this gateway's list signed is left alone.
func TestLapse(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	g, _ := c.start()
	c.generate()
	put := func(job wire.SignedJob, id string) string {
		subject := wire.PendingSubject(job.Client, id)
		if _, err := c.Bus.Publish(t.Context(), subject, job.Payload, job.Headers()); err != nil {
			t.Fatal(err)
		}
		return subject
	}
	waits, waitsID := c.message("waits", time.Hour)
	subject := put(waits, waitsID)
	over, err := g.lapse(t.Context(), subject)
	if there, _ := c.stands(waitsID); err != nil || !there || time.Until(over) < time.Hour {
		t.Errorf("one that waits: %v, %s", err, over)
	}
	past, pastID := c.message("past", -time.Hour)
	if _, err := g.lapse(t.Context(), put(past, pastID)); err != nil {
		t.Fatal(err)
	}
	r := c.Result(pastID)
	if there, _ := c.stands(pastID); there || r.Status != wire.StatusFailed || r.Code != wire.CodeExpired {
		t.Errorf("one that waited in vain: %t, %s: %s", there, r.Code, r.Error)
	}
	otherID := uuid.NewString()
	if _, err := g.lapse(t.Context(), put(waits, otherID)); err != nil {
		t.Fatal(err)
	}
	if there, _ := c.stands(otherID); there {
		t.Error("one under another's subject is still there")
	}
	stranger := waits
	stranger.Signature = make([]byte, ed25519.SignatureSize)
	_, strangerID := c.message("stranger", time.Hour)
	stranger.Payload = fmt.Appendf(nil, `{"job":%q}`, strangerID)
	if _, err := g.lapse(t.Context(), put(stranger, strangerID)); err != nil {
		t.Fatal(err)
	}
	if there, _ := c.stands(strangerID); !there {
		t.Error("one that this gateway can't judge is gone")
	}
	if _, err := g.lapse(t.Context(), subject+"x"); err != nil {
		t.Errorf("none: %v", err)
	}
}

// TestRunsOfAJob: a job has a few runs at once, and then few; one waits at a time.
func TestRunsOfAJob(t *testing.T) {
	t.Parallel()
	var r runs
	now, of := time.Now(), jobName{"alice", "j"}
	for i := range runsAtOnce {
		if wait, first := r.turn(of, now); wait != 0 || !first {
			t.Fatalf("run %d waits %s, %t", i, wait, first)
		}
		r.jobs[of].waiting = false
	}
	if wait, first := r.turn(of, now); wait != runEvery || !first {
		t.Errorf("one more waits %s, %t", wait, first)
	}
	if _, first := r.turn(of, now); first {
		t.Error("two wait")
	}
	if wait, first := r.turn(jobName{"bob", "j"}, now); wait != 0 || !first {
		t.Errorf("another's waits %s, %t", wait, first)
	}
	r.jobs[of].waiting = false
	if wait, _ := r.turn(of, now.Add(10*runEvery)); wait != 0 {
		t.Errorf("later it waits %s", wait)
	}
}
