package machine

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Batches are read one at a time, and until they are read.
func TestRefetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []string
		reading := 0
		b := newBench(t, func(_ *bench, c *Config[*script]) {
			c.Machine.step = answer(timer("start"), protocol.Refetch{ID: "a"}, protocol.Refetch{ID: "b"})
			c.Bus = fakeLog{slots: func(_ context.Context, filter string) ([]bus.Message, error) {
				if reading++; reading != 1 {
					t.Error("two batches are read at once")
				}
				time.Sleep(time.Second)
				reading--
				calls = append(calls, filter)
				if len(calls) < 3 {
					return []bus.Message{{Subject: "part", Seq: 1}}, errTest
				}
				return []bus.Message{{Subject: filter, Seq: 7}}, nil
			}}
		})
		b.run()
		b.Step(timer("start"))
		pause(time.Minute)
		if len(calls) != 4 || calls[0] != calls[1] || calls[1] != calls[2] || calls[3] == calls[0] {
			t.Fatalf("read %q, want one batch three times and then the other", calls)
		}
		if n := b.log.Count("batch not read"); n != 2 {
			t.Errorf("%d failures logged, want 2", n)
		}
		want := []string{"part", "part", calls[0], calls[3]}
		var subjects []string
		for _, ev := range b.seen()[1:] {
			subjects = append(subjects, ev.(protocol.RoundsAgain).Subject)
		}
		if !slices.Equal(subjects, want) {
			t.Errorf("the machine saw %q, want %q", subjects, want)
		}
		b.finish()
	})
}

// Batches that wait to be read take no goroutines, and wait once.
func TestManyRefetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finish, read := make(chan struct{}), map[string]int{}
		b := newBench(t, func(_ *bench, c *Config[*script]) {
			c.Bus = fakeLog{slots: func(_ context.Context, filter string) ([]bus.Message, error) {
				<-finish
				read[filter]++
				return nil, nil
			}}
		})
		b.run()
		before := runtime.NumGoroutine()
		for i := range 2000 {
			b.perform(protocol.Refetch{ID: strconv.Itoa(i % 1000)})
			synctest.Wait()
		}
		if more := runtime.NumGoroutine() - before; more > 10 {
			t.Errorf("%d goroutines", more)
		}
		close(finish)
		synctest.Wait()
		// The first may have changed after it was begun.
		if first := wire.RoundsFilter("0"); len(read) != 1000 || read[first] != 2 || read[wire.RoundsFilter("1")] != 1 {
			t.Errorf("%d batches read, the first %d times", len(read), read[first])
		}
		b.perform(protocol.Refetch{ID: "1"})
		synctest.Wait()
		if read[wire.RoundsFilter("1")] != 2 {
			t.Error("a batch is not read a second time later")
		}
		b.finish()
	})
}

// A node's junk in its own slots keeps nobody from reading the others: a batch is
// read in parts until its end, each from where the last one ended.
func TestRefetchInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []uint64
		b := newBench(t, func(_ *bench, c *Config[*script]) {
			c.Bus = fakeLog{part: func(from uint64) ([]bus.Message, bool, error) {
				asked = append(asked, from)
				if len(asked) == 2 {
					return []bus.Message{{Subject: "s", Seq: 20}}, true, errTest
				}
				return []bus.Message{{Subject: "s", Seq: 10 * uint64(len(asked))}}, len(asked) < 4, nil
			}}
		})
		b.run()
		b.perform(protocol.Refetch{ID: "a"})
		pause(time.Minute)
		if !slices.Equal(asked, []uint64{1, 11, 21, 31}) || len(b.seen()) != 4 {
			t.Errorf("read from %d, %d messages", asked, len(b.seen()))
		}
		b.finish()
	})
}

// What can't succeed is not read again, and the end ends the reading at once.
func TestRefetchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, hang := 0, false
		b := newBench(t, func(_ *bench, c *Config[*script]) {
			c.Bus = fakeLog{slots: func(ctx context.Context, _ string) ([]bus.Message, error) {
				if calls++; !hang {
					return nil, bus.ErrClosed
				}
				<-ctx.Done()
				return nil, ctx.Err()
			}}
		})
		b.run()
		b.perform(protocol.Refetch{ID: "a"})
		pause(time.Minute)
		if calls != 1 {
			t.Errorf("read %d times", calls)
		}
		hang = true
		b.perform(protocol.Refetch{ID: "b"})
		b.perform(protocol.Refetch{ID: "c"})
		synctest.Wait()
		start := time.Now()
		b.finish()
		if took := time.Since(start); took != 0 {
			t.Errorf("reading held the end up for %s", took)
		}
	})
}

// Whoever reads the log waits while enough batches are being rebuilt, and no
// longer: not beyond the end either.
func TestRebuildsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.run()
		finish := make(chan struct{})
		slow := protocol.Compute{Rebuild: true, Run: func() protocol.Event { <-finish; return nil }}
		for range maxRebuilds() {
			b.Compute(slow)
		}
		begun := make(chan struct{}, 2)
		next := func() { b.Compute(slow); begun <- struct{}{} }
		go next()
		synctest.Wait()
		if len(begun) != 0 {
			t.Error("one more was begun")
		}
		close(finish)
		<-begun
		synctest.Wait()
		if len(b.rebuilds) != 0 {
			t.Errorf("%d rebuilds did not end", len(b.rebuilds))
		}

		finish = make(chan struct{})
		for range maxRebuilds() {
			b.Compute(slow)
		}
		go next()
		synctest.Wait()
		b.stop()
		<-begun
		close(finish)
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
}

// Each stream has its event. A task has its sender's trace, if spans are made, and
// this machine's clock.
func TestRead(t *testing.T) {
	b := newBench(t)
	m := bus.Message{Subject: "s", Seq: 3, Time: time.Unix(1, 0), Data: []byte("d")}
	b.Read(bus.Keys, m)
	b.Read(bus.Sign, m)
	before := time.Now()
	b.Read(bus.Work, m)
	b.Read(bus.Work, bus.Message{Subject: wire.TakenSubject(wire.JobPlace{Seq: 7})}) // a note, which is no machine's
	b.Read(bus.RoundsOf(7), m)
	seen := b.seen()
	same := func(l wire.LogMessage) bool {
		return l.Subject == "s" && l.Seq == 3 && l.Time.Equal(m.Time) && string(l.Data) == "d"
	}
	task, _ := seen[2].(protocol.TaskMessage)
	if keys, ok := seen[0].(protocol.KeysMessage); !ok || !same(keys.LogMessage) {
		t.Errorf("KEYS: %v", seen[0])
	}
	if rounds, ok := seen[3].(protocol.RoundsMessage); !ok || !same(rounds.LogMessage) {
		t.Errorf("ROUNDS_7: %v", seen[3])
	}
	if sign, ok := seen[1].(protocol.SignMessage); !ok || !same(sign.LogMessage) {
		t.Errorf("SIGN: %v", seen[1])
	}
	if !same(task.LogMessage) || task.Now.Before(before) {
		t.Errorf("WORK: %v", seen[2])
	}
}

// Every node's rounds are followed from the beginning, and where there are many each
// of them is asked after less often and may hold less.
func TestFollowRounds(t *testing.T) {
	for nodes, want := range map[int]time.Duration{1: 2 * time.Second, 3: 2 * time.Second, 128: 32 * time.Second} {
		followed, memory := map[bus.Stream]bool{}, 0
		b := newBench(t, func(_ *bench, c *Config[*script]) {
			c.Bus = fakeLog{nodes: nodes, follow: func(s bus.Stream, o bus.FollowOptions) error {
				followed[s] = true
				memory += o.MaxBytes
				if o.Idle != want || o.CaughtUp != nil {
					t.Errorf("%d nodes: %s is asked after every %v", nodes, s, o.Idle)
				}
				return nil
			}}
		})
		if err := b.FollowRounds(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(followed) != nodes || !followed[bus.RoundsOf(nodes-1)] || memory > 256<<20 {
			t.Errorf("%d nodes: %v, %d bytes", nodes, followed, memory)
		}
	}
}

// A batch is read again in every node's rounds, or as an entry in KEYS.
func TestRefetchStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		b := newBench(t, func(_ *bench, c *Config[*script]) {
			c.Bus = fakeLog{nodes: 3, slots: func(_ context.Context, filter string) ([]bus.Message, error) {
				asked = append(asked, filter)
				return []bus.Message{{Subject: "s", Seq: 1}}, nil
			}}
		})
		b.run()
		b.perform(protocol.Refetch{ID: "a"})
		b.perform(protocol.Refetch{ID: "a", Register: true})
		b.perform(protocol.Refetch{ID: "a", Manifest: true}) // finds junk
		synctest.Wait()
		if want := []string{"dkg.a.>", "dkg.a.>", "dkg.a.>", "entry.a.>", "manifest.a"}; !slices.Equal(asked, want) {
			t.Errorf("asked %q", asked)
		}
		seen := b.seen()
		if _, ok := seen[2].(protocol.RoundsAgain); !ok || len(seen) != 4 {
			t.Errorf("%v", seen)
		}
		if _, ok := seen[3].(protocol.KeysAgain); !ok {
			t.Errorf("%v", seen[3])
		}
		b.finish()
	})
}

// SIGN, WORK and rounds may be lost, which the machine must know of SIGN and rounds. Without its
// record of keys a program ends.
func TestLostStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := map[bus.Stream]func(error){}
		b := newBench(t, func(b *bench, c *Config[*script]) {
			c.Bus = fakeLog{follow: func(s bus.Stream, o bus.FollowOptions) error { lost[s] = o.Lost; return nil }}
			c.Start = func(ctx context.Context) error {
				return errors.Join(b.Follow(ctx, bus.Keys, 1, bus.FollowOptions{CaughtUp: func() {}}),
					b.Follow(ctx, bus.Sign, 1, bus.FollowOptions{}), b.Follow(ctx, bus.Work, 1, bus.FollowOptions{}),
					b.Follow(ctx, bus.RoundsOf(1), 1, bus.FollowOptions{}))
			}
		})
		b.run()
		lost[bus.Work](errTest)
		lost[bus.Sign](errTest)
		lost[bus.RoundsOf(1)](errTest)
		synctest.Wait()
		if err := b.Ready(); err != nil || b.log.Count("starts anew") != 3 {
			t.Errorf("after the loss of streams that forget: %v", err)
		}
		if seen := b.seen(); len(seen) != 2 || seen[0] != (protocol.SignLost{}) || seen[1] != (protocol.RoundsLost{}) {
			t.Errorf("the machine saw %v", seen)
		}
		lost[bus.Keys](errTest)
		if err := <-b.ended; err == nil || !strings.Contains(err.Error(), "restore it from a mirror") {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestLateComputations: past its time a computation is not begun, and the machine is
// told what goes in its place.
func TestLateComputations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.run()
		late := func() protocol.Event { return timer("late") }
		run := func() protocol.Event { return timer("run") }
		b.Compute(protocol.Compute{Run: run, Late: late, Until: time.Now()})
		synctest.Wait()
		b.Compute(protocol.Compute{Run: run, Late: late, Until: time.Now().Add(-1)})
		synctest.Wait()
		if got := b.seen(); len(got) != 2 || got[0] != timer("run") || got[1] != timer("late") {
			t.Errorf("the machine was told %v", got)
		}
		b.finish()
	})
}
