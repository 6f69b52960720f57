package machine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// The end comes in the order of the package comment: intake (the last first),
// computations, effects; what is left when the drain is over is cut off.
func TestEndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order notes
		b := newBench(t, func(b *bench, c *Config[*script]) {
			c.Start = func(ctx context.Context) error {
				b.OnStop(func() { order.add("begun first") })
				b.Intake(func(ctx context.Context) { <-ctx.Done(); time.Sleep(time.Second); order.add("intake") })
				b.OnStop(func() { order.add("begun last") })
				b.Compute(protocol.Compute{Run: func() protocol.Event {
					<-ctx.Done()
					time.Sleep(2 * time.Second)
					order.add("computation")
					return timer("computed")
				}})
				b.Go(func() { <-b.Stopping(); time.Sleep(3 * time.Second); order.add("effect") })
				b.Go(func() { <-b.Life().Done(); order.add("cut off") })
				return nil
			}
		})
		if b.Ready() == nil {
			t.Error("ready before the start")
		}
		b.run()
		if err := b.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		start := time.Now()
		b.finish()
		want := []string{"begun last", "intake", "begun first", "computation", "effect", "cut off"}
		if !slices.Equal(order.all, want) {
			t.Errorf("ended in the order %q, want %q", order.all, want)
		}
		if took := time.Since(start); took != 2*time.Second+DrainTime {
			t.Errorf("ended after %s, want the computation's 2 s and the drain's %s", took, DrainTime)
		}
		if b.log.Count("under way") != 1 {
			t.Error("what was cut off was not logged")
		}
		if b.Ready() == nil || b.Go(func() { t.Error("an effect began after the end") }) {
			t.Error("ready, or open for effects, after the end")
		}
		if seen := b.seen(); len(seen) != 1 || seen[0] != timer("computed") {
			t.Errorf("the machine saw %v, want the last computation's event", seen)
		}
	})
}

// With nothing under way the end comes at once, and what waits for the pool is
// dropped.
func TestEndAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.run()
		start := time.Now()
		b.finish()
		if took := time.Since(start); took != 0 || b.log.Count("under way") != 0 {
			t.Errorf("ended after %s", took)
		}
		for _, e := range []protocol.Compute{{}, {Urgent: true}, {Rebuild: true}} {
			e.Run = func() protocol.Event { t.Error("computed after the end"); return nil }
			b.Compute(e)
		}
		synctest.Wait()
	})
}

// A timer steps the machine, but not once intake has stopped: neither during the
// drain nor after it.
func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(b *bench, c *Config[*script]) {
			c.Start = func(context.Context) error {
				b.Go(func() { <-b.Stopping(); time.Sleep(3 * time.Second) }) // a long drain
				return nil
			}
			c.Machine.step = answer(timer("set"),
				protocol.After{Delay: time.Second / 4, Timer: timer("in time")},
				protocol.After{Delay: time.Second, Timer: timer("while draining")},
				protocol.After{Delay: time.Minute, Timer: timer("after the end")})
		})
		b.run()
		b.Step(timer("set"))
		pause(time.Second / 2)
		b.finish()
		pause(time.Hour)
		if seen := b.seen(); !slices.Equal(seen, []protocol.Event{timer("set"), timer("in time")}) {
			t.Errorf("the machine saw %v", seen)
		}
	})
}

// The clock ticks for the machine and then for the program, once it has started.
func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ticks int
		b := newBench(t, func(b *bench, c *Config[*script]) {
			c.Start = func(context.Context) error { time.Sleep(3 * time.Second); return nil }
			c.Tick = func() {
				ticks++
				b.With(func(s *script) {
					if s.ticks != ticks {
						t.Errorf("tick %d of the program, %d of the machine", ticks, s.ticks)
					}
				})
			}
		})
		b.run()
		pause(5*time.Second + time.Second/2)
		b.finish()
		if ticks != 2 {
			t.Errorf("%d ticks in 2 s", ticks)
		}
	})
}

// Run ends by the first failure, whoever else fails meanwhile.
func TestFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.run()
		b.Fail(errTest)
		for range 3 {
			b.Fail(errors.New("another"))
		}
		if err := <-b.ended; !errors.Is(err, errTest) {
			t.Errorf("ended with %v", err)
		}
	})
}

// Abandon ends everything at once: nothing that is under way is waited for.
func TestAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.run()
		b.Go(func() { <-b.Life().Done() })
		start := time.Now()
		b.Abandon(errTest)
		if err := <-b.ended; !errors.Is(err, errTest) || time.Since(start) > 0 {
			t.Errorf("ended after %s with %v", time.Since(start), err)
		}
		if b.Go(func() {}) {
			t.Error("something began after the end")
		}
	})
}

// A failure ends a start that is still reading, and is what Run returns: neither
// the end of the start's context nor a start that was done at the same moment
// hides it.
func TestFailWhileStarting(t *testing.T) {
	for name, outcome := range map[string]func(context.Context) error{
		"waits": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"done":  func(context.Context) error { return nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(b *bench, c *Config[*script]) {
				c.Start = func(ctx context.Context) error { b.Fail(errTest); return outcome(ctx) }
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if err := b.Run(ctx); !errors.Is(err, errTest) || b.Started() {
				t.Errorf("%s: ended with %v, started %t", name, err, b.Started())
			}
		})
	}
}

// A start that fails ends what it began, and its context.
func TestStartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order notes
		b := newBench(t, func(b *bench, c *Config[*script]) {
			c.Start = func(ctx context.Context) error {
				b.OnStop(func() { order.add("stopped") })
				b.Go(func() { <-ctx.Done(); order.add("context ended") })
				return errTest
			}
		})
		if err := b.Run(t.Context()); !errors.Is(err, errTest) {
			t.Errorf("ended with %v", err)
		}
		if len(order.all) != 2 || b.Started() || b.Ready() == nil {
			t.Errorf("left after a failed start: %q, started %t", order.all, b.Started())
		}
	})
}
