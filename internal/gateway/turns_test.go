package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// TestTurns: one suspicious job at a time, in no order that the next life repeats. A
// slow one lets others go on, one that ends while it waits is not worked on, and
// nobody waits for a gateway that stops.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns, stopping := newTurns(), make(chan struct{})
		var inWork, ended atomic.Int32
		var mu sync.Mutex
		var orders [2][]int
		for life := range orders {
			for i := range 20 {
				go func() {
					d := &delivery{done: make(chan struct{})}
					if !turns.await(stopping, d) {
						t.Error("not let in")
					}
					if n := inWork.Add(1); n != 1 {
						t.Errorf("%d in work at once", n)
					}
					mu.Lock()
					orders[life] = append(orders[life], i)
					mu.Unlock()
					time.Sleep(time.Millisecond)
					inWork.Add(-1)
					ended.Add(1)
					close(d.done)
				}()
			}
			time.Sleep(time.Minute)
		}
		if ended.Load() != 40 || fmt.Sprint(orders[0]) == fmt.Sprint(orders[1]) {
			t.Errorf("%d let in, in the orders %v", ended.Load(), orders)
		}

		slow, gone := &delivery{done: make(chan struct{})}, &delivery{done: make(chan struct{})}
		if !turns.await(stopping, slow) {
			t.Error("the slow one was not let in")
		}
		start := time.Now()
		close(gone.done)
		if turns.await(stopping, gone) {
			t.Error("one that has ended was let in")
		}
		if !turns.await(stopping, &delivery{done: make(chan struct{})}) {
			t.Error("nobody was let in beside the slow one")
		}
		if waited := time.Since(start); waited < turnTime-turnSpread || waited > turnTime+turnSpread {
			t.Errorf("the next one waited %v for the slow one", waited)
		}
		close(stopping)
		if turns.await(stopping, &delivery{done: make(chan struct{})}) {
			t.Error("let in by a gateway that stops")
		}
	})
}

// TestInnocents: beside one job that ends every gateway which works on it, as many
// jobs as a gateway holds are finished before they are taken for poison.
func TestInnocents(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const runs = 1000
	lost := 0
	for range runs {
		innocent := signatures.most
		for delivery := suspectAfter + 1; delivery <= maxDeliveries && innocent > 0; delivery++ {
			innocent -= r.IntN(innocent + 1) // those that have their turn before the one that kills
		}
		lost += innocent
	}
	if lost > runs/100 {
		t.Errorf("%d innocent jobs given up in %d floods", lost, runs)
	}
}

// fake is a delivery of a message that comes for the attempt-th time.
type fake struct {
	msg     bus.Message
	attempt int
	naks    *atomic.Int32
}

func (f fake) Message() bus.Message      { return f.msg }
func (f fake) Attempt() int              { return f.attempt }
func (f fake) Ack(context.Context) error { return nil }
func (f fake) Nak(time.Duration) error   { f.naks.Add(1); return nil }
func (f fake) InProgress() error         { return nil }
func (f fake) Term(string) error         { return nil }

// TestCountedAnew: servers that forget who has which message count its deliveries anew.
// What a gateway outlived before is then taken off nothing.
func TestCountedAnew(t *testing.T) {
	var held deliveries
	come := func(attempt int) int {
		d := &delivery{Delivery: fake{attempt: attempt}}
		defer held.lived(d)
		return held.attempt(d)
	}
	for attempt := 1; attempt <= 5; attempt++ {
		if n := come(attempt); n != 1 {
			t.Errorf("delivery %d of a gateway that lives counts as %d", attempt, n)
		}
	}
	for i, want := range []int{1, 1, 7} { // forgotten; it stays, and then others die
		if n := come([]int{1, 2, 9}[i]); n != want {
			t.Errorf("after the count began anew: delivery %d counts as %d, want %d", i, n, want)
		}
	}
}

// mute is a delivery whose gateway can't say for a while that it is in progress.
type mute struct {
	fake
	until time.Time
	said  *[]time.Duration
	start time.Time
}

func (m mute) InProgress() error {
	if time.Now().Before(m.until) {
		return bus.ErrDisconnected
	}
	*m.said = append(*m.said, time.Since(m.start))
	return nil
}

// TestKeptInProgress: a gateway says in time that it holds a job, also where it could not
// for a moment: half of the time after which JetStream takes it for dead is gone by then.
func TestKeptInProgress(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		g := New(w.config())
		var said []time.Duration
		start := time.Now()
		d := &delivery{done: make(chan struct{})}
		d.Delivery = mute{fake{}, start.Add(progress + 3*progress/4), &said, start}
		go g.hold(d)
		time.Sleep(4*progress + progress/2)
		close(d.done)
		synctest.Wait()
		first := progress + 3*progress/4
		if len(said) != 3 || said[0] < first || said[0] >= 2*progress || said[2] != said[0]+2*progress {
			t.Errorf("said at %v", said)
		}
	})
}

// TestOutagesAreNoPoison: a job that comes again and again to a gateway which lives,
// as after outages of NATS, is no step nearer to being poison, and stays in work.
func TestOutagesAreNoPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job, id := w.newJob(time.Minute)
	w.Publish(job)
	stored := w.take(1)[0].Message() // and keeps it: the gateway gets what follows
	g, _ := w.start()
	var naks atomic.Int32
	for attempt := 1; attempt <= 2*maxDeliveries; attempt++ {
		go g.handle(fake{stored, attempt, &naks})
		eventually(t, "the delivery is the one in work", func() bool {
			g.held.mu.Lock()
			defer g.held.mu.Unlock()
			return g.held.survived[wire.JobPlace{Seq: stored.Seq}] == attempt
		})
	}
	inWork(t, g, 1)
	if ends := w.Seen.Ends(); len(ends) != 0 || naks.Load() != 0 {
		t.Errorf("ended with %v, given back %d times", ends, naks.Load())
	}
	w.startNode()
	if r := w.Result(id); r.Status != wire.StatusDone {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
}

// TestResultsAway: jobs that come, and jobs that end, while RESULTS is away wait for
// it. They are neither given back nor taken for poison.
func TestResultsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, _ := w.start()
	waiting, ids := map[string]bool{}, []string(nil)
	publish := func(j wire.Job) {
		job, id := w.Job(j, 5*time.Minute)
		w.Publish(job)
		waiting[id], ids = true, append(ids, id)
	}
	publish(machinetest.Keygen())
	publish(machinetest.Keygen())
	inWork(t, g, 2)
	if err := w.Bus.Conn().JS.DeleteStream(t.Context(), "FROST_TEST_RESULTS"); err != nil {
		t.Fatal(err)
	}
	w.startNode() // the two are done, and can't be stored
	publish(machinetest.Keygen())
	for i := range 4 {
		publish(wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{{
			Key: fmt.Sprintf("%032x.%d", i, i), Message: []byte("of a key that nobody has"),
		}}})
	}
	// Given back after each try, a job would be poison by now, on any machine.
	time.Sleep(8 * time.Second)
	eventually(t, "both kinds of waiting are logged", func() bool { return w.Lines.Count("jobs wait") > 0 })
	if n := w.open(); n != len(ids) {
		t.Errorf("%d of %d jobs are open", n, len(ids))
	}
	if err := w.Bus.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	for len(waiting) > 0 {
		r := w.Result("")
		if !waiting[r.Job] {
			continue
		}
		delete(waiting, r.Job)
		if done := r.Kind == wire.KindKeygen && r.Status == wire.StatusDone; !done && r.Code != wire.CodeUnknownKey {
			t.Errorf("%s job ended with %q: %s", r.Kind, r.Code, r.Error)
		}
	}
	eventually(t, "every job is acknowledged", func() bool { return w.open() == 0 })
}

// TestNoticesAway: a job that is turned away while NOTICES is away waits for it as well. It
// was acknowledged to whoever published it, and has no other answer.
func TestNoticesAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	if err := w.Bus.Conn().JS.DeleteStream(t.Context(), "FROST_TEST_NOTICES"); err != nil {
		t.Fatal(err)
	}
	w.Publish(wire.SignJob(w.ClientKey, w.Manifest, wire.KindSign, machinetest.Client, []byte(`{"job":"order-17"}`)))
	eventually(t, "a dead letter", func() bool { return len(w.letters()) == 1 })
	time.Sleep(noticeTime + 2*time.Second)
	if w.open() != 1 {
		t.Error("acknowledged without an answer")
	}
	if err := w.Bus.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := w.Result(""); r.Job != "order-17" || r.Code != wire.CodeMalformedJob {
		t.Errorf("%+v", r)
	}
	eventually(t, "the job is acknowledged", func() bool { return w.open() == 0 })
	if n := len(w.letters()); n != 1 {
		t.Errorf("%d dead letters", n)
	}
}
