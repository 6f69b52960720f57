package machine

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/protocol"
)

// Steps come one at a time; the race detector sees where they don't.
func TestSteps(t *testing.T) {
	b := newBench(t)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { b.Step(protocol.Tick{}) })
	}
	all.Wait()
	if n := len(b.seen()); n != 100 {
		t.Errorf("%d steps, want 100", n)
	}
}

// Effects are performed in their order and without the lock, so that whatever
// they take, nobody else waits for it.
func TestEffects(t *testing.T) {
	var performed []protocol.Effect
	want := []protocol.Effect{protocol.Round{ID: "a"}, protocol.Replay{Job: "b"}}
	newBench(t, func(b *bench, c *Config[*script]) {
		c.Machine.step = func(protocol.Event) []protocol.Effect { return want }
		c.Perform = func(e protocol.Effect) {
			if !b.mu.TryLock() {
				t.Error("an effect is performed under the lock")
				return
			}
			defer b.mu.Unlock()
			performed = append(performed, e)
		}
	}).Step(protocol.Tick{})
	if !slices.Equal(performed, want) {
		t.Errorf("performed %v", performed)
	}
}

// A panic costs its session only, and its value, which may be secret, is not logged.
func TestPanicIsContained(t *testing.T) {
	for name, panicking := range map[string]func(protocol.Event) []protocol.Effect{
		"step": func(ev protocol.Event) []protocol.Effect {
			if ev == timer("bad") {
				panic("5ec3e7")
			}
			return nil
		},
		"urgent computation": answer(timer("bad"), protocol.Compute{Urgent: true, Run: broken}),
		"bulk computation":   answer(timer("bad"), protocol.Compute{Run: broken}),
		"rebuild":            answer(timer("bad"), protocol.Compute{Rebuild: true, Run: broken}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(_ *bench, c *Config[*script]) { c.Machine.step = panicking })
				b.run()
				if took := b.Step(timer("bad")); took == (name == "step") {
					t.Errorf("the machine took the event at which it panics: %v", took)
				}
				synctest.Wait()
				b.Step(timer("good"))
				if seen := b.seen(); len(seen) != 2 || seen[1] != timer("good") {
					t.Errorf("the machine saw %v", seen)
				}
				if n := b.log.Count("panicked"); n != 1 || b.log.Count("5ec3e7") != 0 || b.log.Count("machine.") == 0 {
					t.Errorf("the panic was logged %d times, or with its value, or without its place", n)
				}
				if len(b.rebuilds) != 0 {
					t.Error("the rebuild still takes room")
				}
				b.finish()
			})
		})
	}
}

func broken() protocol.Event { panic("5ec3e7") }

// A computation's event steps the machine; one without an event does not.
func TestComputations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.run()
		for _, e := range []protocol.Compute{{}, {Urgent: true}, {Rebuild: true}} {
			e.Run = func() protocol.Event { return timer("done") }
			b.Compute(e)
			e.Run = func() protocol.Event { return nil }
			b.Compute(e)
		}
		synctest.Wait()
		if seen := b.seen(); !slices.Equal(seen, []protocol.Event{timer("done"), timer("done"), timer("done")}) {
			t.Errorf("the machine saw %v", seen)
		}
		b.finish()
	})
}

// Await asks after each step, and no longer than its context lives.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		two := func(s *script) bool { return len(s.seen) == 2 }
		answers := make(chan bool, 3)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() { answers <- b.Await(short, two) }()
		pause(2 * time.Second)
		if <-answers {
			t.Error("what never happened came true")
		}
		go func() { answers <- b.Await(t.Context(), two) }()
		for _, want := range []int{0, 1} {
			synctest.Wait()
			if len(answers) != 0 {
				t.Fatalf("Await returned after %d steps", want)
			}
			b.Step(protocol.Tick{})
		}
		if !<-answers || !b.Await(short, two) {
			t.Error("what is the case did not come true")
		}
	})
}

// A report reaches the metrics, and the log with what it holds.
func TestReports(t *testing.T) {
	var seen []protocol.Report
	b := newBench(t, func(_ *bench, c *Config[*script]) {
		c.Observe = func(r protocol.Report) { seen = append(seen, r) }
	})
	b.perform(protocol.Report{
		What: protocol.ReportAborted, ID: "i", Job: "j", Suite: frost.Secp256k1TR, Count: 3,
		Code: "bad_deal", Reason: "why", Culprit: 0,
	})
	b.perform(protocol.Report{What: protocol.ReportComplete, ID: "i", Job: "i", Culprit: -1})
	b.perform(protocol.Report{What: protocol.ReportShared, Culprit: -1})
	for _, line := range []string{
		`level=WARN msg=aborted id=i job=j suite=secp256k1-tr count=3 code=bad_deal reason=why culprit=0` + "\n",
		"level=INFO msg=complete id=i\n", "level=DEBUG msg=shared id=\"\"\n",
	} {
		if b.log.Count(line) != 1 {
			t.Errorf("no line %q", line)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d reports for metrics", len(seen))
	}
}

// Machines that are given one lock take their steps one after the other.
func TestOneLock(t *testing.T) {
	t.Parallel()
	var lock sync.Mutex
	busy := 0 // guarded by the one lock: the race detector looks
	var benches []*bench
	for range 2 {
		benches = append(benches, newBench(t, func(_ *bench, c *Config[*script]) {
			c.Lock = &lock
			c.Machine.step = func(protocol.Event) []protocol.Effect {
				if busy++; busy != 1 {
					t.Error("two steps at once")
				}
				busy--
				return nil
			}
		}))
	}
	var running sync.WaitGroup
	for _, b := range benches {
		running.Go(func() {
			for range 1000 {
				b.Step(timer("x"))
			}
		})
	}
	running.Wait()
}
