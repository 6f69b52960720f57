package benchhsm_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// latencies of KMS, injected.
var latencies = []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond}

// places where a KMS may be, by round figures for the latency of one call.
var places = []struct {
	name    string
	latency time.Duration
}{
	{"same_zone", 3 * time.Millisecond},
	{"cross_zone", 10 * time.Millisecond},
	{"cross_region", 70 * time.Millisecond},
}

// BenchmarkHSM measures each goal once, whatever b.N is.
func BenchmarkHSM(b *testing.B) {
	f := startFleets(b)
	for _, latency := range latencies {
		b.Run(latency.String(), func(b *testing.B) {
			f.setLatency(b, latency)
			name := fmt.Sprintf("_%dms", latency.Milliseconds())
			b.Run("calls", func(b *testing.B) { f.benchCalls(b, name) })
			b.Run("single", func(b *testing.B) { f.benchSingle(b, name) })
			b.Run("burst", func(b *testing.B) { f.benchBurst(b, latency) })
			b.Run("keygen", func(b *testing.B) { f.benchKeygen(b, "bitcoin", 5000, 5, "keygen_ratio"+name) })
			b.Run("keygen-ed25519", func(b *testing.B) { f.benchKeygen(b, "solana", 20000, 3, "keygen_ed25519_ratio"+name) })
		})
	}
	b.Run("places", func(b *testing.B) {
		for _, place := range places {
			f.setLatency(b, place.latency)
			_, whole, _ := f.single(b, 100)
			name := fmt.Sprintf("one_signature_%s_%dms", place.name, place.latency.Milliseconds())
			results.Record(name+"_p50", ms(percentile(whole, .5)), "ms", "")
			results.Record(name+"_p99", ms(percentile(whole, .99)), "ms", "")
		}
	})
	for i, c := range f.calls() {
		results.Say("node %d, from the first start on: %s", i, c)
	}
}

// callJobs are how many jobs of bulkSize the calls are counted over.
const callJobs = 5

// benchCalls counts what bulk work costs the node that makes the most calls.
// Whatever it asked of KMS meanwhile counts.
func (f *fleets) benchCalls(b *testing.B, name string) {
	count := func(what string, job func()) {
		before := f.calls()
		for range callJobs {
			job()
		}
		c := f.since(before)
		results.Say("%d jobs of %d %s: %s", callJobs, bulkSize, what, c)
		per := float64(c.total()) / callJobs
		f.mostCalls[what] = max(f.mostCalls[what], per)
		results.Record("kms_calls_per_1000_"+what+name, per, "calls", "")
		results.Record("kms_calls_per_1000_"+what, f.mostCalls[what], "calls", "<= 3")
	}
	count("addresses", func() { f.hard.keygen(b, "bitcoin", bulkSize) })
	count("signatures", func() {
		if err := f.hard.sign(b, f.hard.keys); err != nil {
			b.Fatal(err)
		}
	})
}

// keygenCalls is how many calls to KMS a request for keys lasts at least: nothing is left
// to compute during its last one, and a faster machine, or program, must not make that weigh
// more.
const keygenCalls = 20

// benchKeygen compares the throughput of the two fleets, in pairs of requests
// that follow one another: what else the machine does slows both. A request is for count
// keys, or for as many more as the software fleet makes in the time of keygenCalls.
func (f *fleets) benchKeygen(b *testing.B, chain string, count, pairs int, name string) {
	start := time.Now()
	f.soft.keygen(b, chain, count)
	count = max(count, requestSize(count, time.Since(start), keygenCalls*f.latency))
	var ratios []float64
	for i := range pairs {
		took := map[*side]time.Duration{}
		order := []*side{f.hard, f.soft}
		if i%2 == 1 {
			order[0], order[1] = order[1], order[0]
		}
		for _, s := range order {
			start := time.Now()
			s.keygen(b, chain, count)
			took[s] = time.Since(start)
		}
		ratios = append(ratios, took[f.soft].Seconds()/took[f.hard].Seconds())
		results.Say(
			"%d addresses (%s): software %.2fs, KMS %.2fs",
			count,
			chain,
			took[f.soft].Seconds(),
			took[f.hard].Seconds(),
		)
	}
	results.Record(name, median(ratios), "ratio", ">= 0.9")
}

// singles is how many single signatures are timed in a round.
var singles = map[time.Duration]int{latencies[0]: 100, latencies[1]: 60, latencies[2]: 40}

// What the device may add to the same work on the software fleet: to a signature above
// one call, and to a burst, which has a few calls one after the other.
const (
	maxAdded   = "<= 2"
	burstCalls = 5
)

// benchSingle compares one signature on the idle fleet with one call to KMS and one
// signature on the software fleet. Of three rounds the one counts in which the software
// fleet was fastest: there the machine had least else to do.
func (f *fleets) benchSingle(b *testing.B, name string) {
	var call, whole, soft []time.Duration
	for range 3 {
		c, w, s := f.single(b, singles[f.latency])
		results.Say("p50 of one KMS call %.2f ms, one signature %.2f ms, one with software keys %.2f ms",
			ms(percentile(c, .5)), ms(percentile(w, .5)), ms(percentile(s, .5)))
		if soft == nil || percentile(s, .5) < percentile(soft, .5) {
			call, whole, soft = c, w, s
		}
	}
	overhead := percentile(whole, .5) - percentile(call, .5)
	results.Record("single_sign_added_ms"+name, ms(overhead-percentile(soft, .5)), "ms", maxAdded)
	results.Record("single_sign_overhead_ms"+name, ms(overhead), "ms", "")
	results.Record("single_sign_p50_ms"+name, ms(percentile(whole, .5)), "ms", "")
	results.Record("single_sign_p99_ms"+name, ms(percentile(whole, .99)), "ms", "")
	results.Record("single_sign_software_p50_ms"+name, ms(percentile(soft, .5)), "ms", "")
}

// single takes the time of calls to KMS, and of single signatures of each
// fleet, in turn.
func (f *fleets) single(b *testing.B, count int) (call, hard, soft []time.Duration) {
	clock := func(list *[]time.Duration, what func() error) {
		start := time.Now()
		if err := what(); err != nil {
			b.Fatal(err)
		}
		*list = append(*list, time.Since(start))
	}
	for i := range count {
		clock(&call, func() error {
			_, err := f.provider.Sign(b.Context(), [32]byte(freshMessage()))
			return err
		})
		clock(&hard, func() error { return f.hard.sign(b, f.hard.keys[i:i+1]) })
		clock(&soft, func() error { return f.soft.sign(b, f.soft.keys[i:i+1]) })
	}
	return call, hard, soft
}

const bursts = 5

// benchBurst asks for single signatures all at once, and at 20 ms one by one
// as well.
func (f *fleets) benchBurst(b *testing.B, latency time.Duration) {
	name := fmt.Sprintf("burst_%d_%dms", burstSize, latency.Milliseconds())
	goal, counted := "", latency == 20*time.Millisecond
	if counted {
		name = fmt.Sprintf("burst_%d_ms", burstSize)
		goal = fmt.Sprintf("<= %d", burstCalls*latency.Milliseconds())
	}
	var took, soft, added []time.Duration
	var calls []float64
	for range bursts {
		before := f.calls()
		took = append(took, f.hard.burst(b))
		c := f.since(before)
		calls = append(calls, float64(c.sign))
		soft = append(soft, f.soft.burst(b))
		added = append(added, took[len(took)-1]-soft[len(soft)-1])
		results.Say("%d jobs at once: KMS %.0f ms with %d calls of Sign by a node at most; software %.0f ms",
			burstSize, ms(took[len(took)-1]), c.sign, ms(soft[len(soft)-1]))
	}
	results.Record(name, ms(percentile(took, .5)), "ms", "")
	results.Record(fmt.Sprintf("burst_%d_added_ms_%dms", burstSize, latency.Milliseconds()), ms(percentile(added, .5)), "ms",
		goal)
	results.Record(fmt.Sprintf("burst_%d_sign_calls_%dms", burstSize, latency.Milliseconds()), median(calls), "calls", "")
	if !counted {
		return
	}
	results.Record(fmt.Sprintf("burst_%d_software_ms", burstSize), ms(percentile(soft, .5)), "ms", "")
	start := time.Now()
	for i := range burstSize {
		if err := f.hard.sign(b, f.hard.keys[i:i+1]); err != nil {
			b.Fatal(err)
		}
	}
	results.Record(fmt.Sprintf("one_by_one_%d_ms", burstSize), ms(time.Since(start)), "ms", "")
}

// burst has burstSize jobs of one message published at once and takes the time
// until the last signature is verified.
func (s *side) burst(b *testing.B) time.Duration {
	b.Helper()
	failed := make(chan error, burstSize)
	var all sync.WaitGroup
	start := time.Now()
	for i := range burstSize {
		all.Go(func() {
			if err := s.sign(b, s.keys[i:i+1]); err != nil {
				failed <- err
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
	return took
}
