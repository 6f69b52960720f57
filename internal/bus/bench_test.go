package bus

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// connections are the two ways to the embedded server.
func connections(b *testing.B, run func(b *testing.B, bus *Bus)) {
	for _, how := range []string{"tcp", "in-process"} {
		b.Run(how, func(b *testing.B) {
			bus, _ := newTestBus(b)
			if how == "in-process" {
				s := startTest(b, b.TempDir(), 0)
				bus = connectTest(b, "", func(o *Options) { o.Embedded = s })
				if err := bus.Apply(testContext(b)); err != nil {
					b.Fatal(err)
				}
			}
			run(b, bus)
		})
	}
}

func reportPercentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkSlotToHandler is the time from calling PublishSlot on an idle bus
// until a follower's handler has the message.
func BenchmarkSlotToHandler(b *testing.B) {
	for _, stream := range []Stream{Sign, Keys} { // memory, file with a sync
		for _, n := range []int{200, 20_000, 200_000} {
			b.Run(fmt.Sprintf("%s/%dB", stream, n), func(b *testing.B) {
				connections(b, func(b *testing.B, bus *Bus) { benchSlotToHandler(b, bus, stream, n) })
			})
		}
	}
}

func benchSlotToHandler(b *testing.B, bus *Bus, stream Stream, n int) {
	arrived := make(chan time.Time, 1)
	f, err := bus.Follow(b.Context(), stream, 0, FollowOptions{Handler: func(Message) { arrived <- time.Now() }})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Stop()
	payload := bytes.Repeat([]byte{1}, n)
	var took, acked []time.Duration
	for i := 0; b.Loop(); i++ {
		subject := slotIn(stream, i)
		start := time.Now()
		if _, err := bus.PublishSlot(b.Context(), subject, payload, nil, isOneOf("")); err != nil {
			b.Fatal(err)
		}
		acked = append(acked, time.Since(start))
		took = append(took, (<-arrived).Sub(start))
	}
	reportPercentiles(b, took)
	slices.Sort(acked)
	b.ReportMetric(float64(acked[len(acked)/2].Microseconds()), "ack-p50-µs")
}

// BenchmarkPublishThroughput: 64 writers, one follower that sees it all.
func BenchmarkPublishThroughput(b *testing.B) {
	for _, kind := range []Stream{Sign, Keys} {
		b.Run(string(kind), func(b *testing.B) {
			connections(b, func(b *testing.B, bus *Bus) { benchThroughput(b, bus, kind) })
		})
	}
}

func benchThroughput(b *testing.B, bus *Bus, stream Stream) {
	const perLoop = 2000
	seen := make(chan struct{}, 1)
	count := 0
	f, err := bus.Follow(b.Context(), stream, 0, FollowOptions{Handler: func(Message) {
		if count++; count%perLoop == 0 {
			seen <- struct{}{}
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Stop()
	payload := bytes.Repeat([]byte{1}, 500)
	for loop := 0; b.Loop(); loop++ {
		var wg sync.WaitGroup
		for w := range 64 {
			wg.Go(func() {
				for i := w; i < perLoop; i += 64 {
					subject := slotIn(stream, loop*perLoop+i)
					if _, err := bus.PublishSlot(b.Context(), subject, payload, nil, isOneOf("")); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		<-seen
	}
	b.ReportMetric(float64(b.N*perLoop)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkReplay reads the record from the start, as a recovering node does.
func BenchmarkReplay(b *testing.B) {
	for _, n := range []int{500, 200_000} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			bus, _ := newTestBus(b)
			payload := bytes.Repeat([]byte{1}, n)
			count := min(20_000, 200<<20/n)
			var wg sync.WaitGroup
			for w := range 64 {
				wg.Go(func() {
					for i := w; i < count; i += 64 {
						subject := slotIn(Keys, i)
						if _, err := bus.Publish(b.Context(), subject, payload, nil); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.SetBytes(int64(n * count))
			for b.Loop() {
				done := make(chan struct{})
				seen := 0
				f, err := bus.Follow(b.Context(), Keys, 0, FollowOptions{
					Handler: func(Message) { seen++ }, CaughtUp: func() { close(done) },
				})
				if err != nil {
					b.Fatal(err)
				}
				<-done
				f.Stop()
				if seen != count {
					b.Fatalf("%d of %d", seen, count)
				}
			}
		})
	}
}

// BenchmarkJob is the time from publishing a job until its handler runs.
func BenchmarkJob(b *testing.B) {
	connections(b, func(b *testing.B, bus *Bus) {
		arrived := make(chan time.Time, 1)
		if _, err := bus.Consume(b.Context(), Jobs, GatewaysDurable("sign"), 16, func(d Delivery) {
			arrived <- time.Now()
			if err := d.Ack(context.Background()); err != nil {
				b.Error(err)
			}
		}); err != nil {
			b.Fatal(err)
		}
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			start := time.Now()
			if _, err := bus.Publish(b.Context(), fmt.Sprint("job.sign.c", i%100), []byte("{}"), nil); err != nil {
				b.Fatal(err)
			}
			took = append(took, (<-arrived).Sub(start))
		}
		reportPercentiles(b, took)
	})
}

// slotIn is the i-th subject of a stream's slots.
func slotIn(stream Stream, i int) string {
	if stream == Keys {
		return dealSubject(fmt.Sprintf("%032x", i), 0)
	}
	return commitSubject(fmt.Sprintf("%032x", i), 0)
}
