package gateway

import (
	"crypto/ed25519"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// drop takes a job so often, and drops it, as somebody can who has a gateway's NATS
// credentials and not its key.
func (w *world) drop(times int) (job bus.Message) {
	w.Helper()
	for range times {
		d := w.take(1)[0]
		if err := d.Nak(0); err != nil {
			w.Fatal(err)
		}
		job = d.Message()
	}
	return job
}

// leaveNote has a process of gateway1 note that it begins a job.
func (w *world) leaveNote(key ed25519.PrivateKey, job bus.Message, boot [16]byte, ended int, stored time.Time) {
	w.Helper()
	subject := wire.TakenSubject(wire.JobPlace{Seq: job.Seq})
	note := wire.Taken{Version: wire.TakenVersion, Stored: stored.UnixNano(), Boot: boot, Ended: uint32(ended)}
	sealed := wire.SealGateway(key, "gateway1", w.Manifest, subject, wire.Encode(&note))
	if _, err := w.Bus.Publish(w.Context(), subject, sealed, nil); err != nil {
		w.Fatal(err)
	}
}

// note reads what stands noted of a job.
func (w *world) note(job bus.Message) *wire.Taken {
	w.Helper()
	subject := wire.TakenSubject(wire.JobPlace{Seq: job.Seq})
	m, found, err := w.Bus.LastAtLeader(w.Context(), bus.Work, subject)
	if err != nil || !found {
		w.Fatalf("no note of the job: %v", err)
	}
	_, t, err := wire.OpenTaken(w.Manifest, w.Access, subject, m.Data)
	if err != nil {
		w.Fatal(err)
	}
	return t
}

// TestDroppedJobsAreNoPoison: somebody who takes a job far more often than would make it
// poison, and notes in a gateway's place what he can, takes it from nobody for good: a
// gateway that gets it finishes it, and says that something is wrong.
func TestDroppedJobsAreNoPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job, id := w.newJob(10 * time.Minute)
	w.Publish(job)
	stored := w.drop(maxDeliveries + 5)
	_, thief, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.leaveNote(thief, stored, [16]byte{1}, maxDeliveries, stored.Time)
	w.start()
	w.startNode()
	if r := w.Result(id); r.Status != wire.StatusDone {
		t.Errorf("ended with %q: %s", r.Code, r.Error)
	}
	if n := w.note(stored); n.Ended != 0 {
		t.Errorf("%d gateways are said to have ended", n.Ended)
	}
	eventually(t, "the job is acknowledged", func() bool { return w.open() == 0 })
	eventually(t, "somebody is told", func() bool { return w.Lines.Count("credentials in other hands") == 1 })
}

// TestPoison: a job that ended too many gateways is given up, with an answer. One
// gateway fewer and it goes on, and so it does by a note about the job that had its
// place in JOBS before.
func TestPoison(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ended  int
		before time.Duration
		code   wire.Code
	}{
		"the last one":   {maxEnded - 1, 0, wire.CodePoison},
		"one fewer":      {maxEnded - 2, 0, ""},
		"of another job": {maxEnded - 1, time.Hour, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			key := w.list("gateway1")
			job, id := w.newJob(10 * time.Minute)
			w.Publish(job)
			stored := w.drop(suspectAfter)
			w.leaveNote(key, stored, [16]byte{1}, test.ended, stored.Time.Add(-test.before))
			w.start()
			w.startNode()
			r := w.Result(id)
			if r.Code != test.code {
				t.Errorf("ended with %q: %s", r.Code, r.Error)
			}
			eventually(t, "the job is acknowledged", func() bool { return w.open() == 0 })
			if l := w.letters(); test.code != "" && (len(l) != 1 || l[0].Code != test.code) {
				t.Errorf("letters %+v", l)
			}
		})
	}
}

// TestOutlivedNotesAreNoStep: a gateway that lost a suspicious job and is still heard
// was not ended by it; one that is not heard was.
func TestOutlivedNotesAreNoStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.list("gateway1")
	cfg := w.config()
	cfg.Name, cfg.Key = "gateway1", key
	other := New(cfg)
	stopped := machinetest.Run(t, other.Run)
	eventually(t, "the other gateway is ready", func() bool { return other.Ready() == nil })
	g, _ := w.start()
	g.outlive = time.Hour // no machine is too busy for a heartbeat within that
	eventually(t, "it is heard", func() bool { return len(g.Heard()) == 2 })
	job, _ := w.newJob(10 * time.Minute)
	message := bus.Message{Subject: wire.JobSubject(job.Kind, job.Client), Seq: 7, Time: time.Now()}
	count := func(what string, want int) {
		t.Helper()
		d := &delivery{
			Delivery: fake{message, suspectAfter + 1, new(atomic.Int32)}, done: make(chan struct{}),
		}
		defer close(d.done)
		if ended, ok := g.note(d, time.Now()); !ok || ended != want {
			t.Errorf("%s: %d ended, %v", what, ended, ok)
		}
		if n := w.note(message); n.Boot != g.beat.Boot() || int(n.Ended) != want {
			t.Errorf("%s: noted %+v", what, n)
		}
	}
	count("nobody noted it", 0)
	count("this gateway did", 0)
	w.leaveNote(key, message, other.beat.Boot(), 0, message.Time)
	count("a gateway that lives did", 0)
	g.outlive = time.Millisecond
	w.leaveNote(key, message, [16]byte{1}, 0, message.Time)
	count("a process did that nobody hears", 1)
	stopped.Stop()
	eventually(t, "its last heartbeat came", func() bool { return len(g.Heard()) == 1 })
	w.leaveNote(key, message, other.beat.Boot(), 1, message.Time)
	count("a gateway did that has ended since", 2)
}
