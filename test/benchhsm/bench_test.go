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
			b.Run("keygen", func(b *testing.B) { f.benchKeygen(b, "bitcoin", "keygen_ratio"+name) })
			b.Run("keygen-ed25519", func(b *testing.B) { f.benchKeygen(b, "solana", "keygen_ed25519_ratio"+name) })
			b.Run("single", func(b *testing.B) { f.benchSingle(b, name) })
			b.Run("burst", func(b *testing.B) { f.benchBurst(b, latency) })
		})
	}
	b.Run("places", func(b *testing.B) {
		for _, place := range places {
			f.setLatency(b, place.latency)
			_, whole, _ := f.single(b)
			results.record(fmt.Sprintf("one_signature_%s_p50_%dms", place.name, place.latency.Milliseconds()), ms(percentile(whole, .5)), "ms", "")
			results.record(fmt.Sprintf("one_signature_%s_p99_%dms", place.name, place.latency.Milliseconds()), ms(percentile(whole, .99)), "ms", "")
		}
	})
	for i, c := range f.calls() {
		results.say("node %d, from the first start on: %s", i, c)
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
		results.say("%d jobs of %d %s: %s", callJobs, bulkSize, what, c)
		results.record("kms_calls_per_1000_"+what+name, float64(c.total())/callJobs, "calls", "<= 3")
	}
	count("addresses", func() { f.hard.keygen(b, 0, "bitcoin", bulkSize) })
	count("signatures", func() {
		if err := f.hard.sign(b, 0, f.hard.keys[0]); err != nil {
			b.Fatal(err)
		}
	})
}

const (
	keygenJob   = 5000
	keygenPairs = 5
)

// benchKeygen compares the throughput of the two fleets, in pairs of jobs that
// follow one another: what else the machine does slows both.
func (f *fleets) benchKeygen(b *testing.B, chain, name string) {
	var ratios []float64
	for i := range keygenPairs {
		took := map[*side]time.Duration{}
		order := []*side{f.hard, f.soft}
		if i%2 == 1 {
			order[0], order[1] = order[1], order[0]
		}
		for _, s := range order {
			start := time.Now()
			s.keygen(b, 0, chain, keygenJob)
			took[s] = time.Since(start)
		}
		ratios = append(ratios, took[f.soft].Seconds()/took[f.hard].Seconds())
		results.say("%d addresses (%s): software %.2fs, KMS %.2fs", keygenJob, chain, took[f.soft].Seconds(), took[f.hard].Seconds())
	}
	results.record(name, median(ratios), "ratio", ">= 0.9")
}

// singles is how many single signatures are timed.
const singles = 100

// benchSingle compares one signature on the idle fleet with one call to KMS.
func (f *fleets) benchSingle(b *testing.B, name string) {
	call, whole, soft := f.single(b)
	results.say("p50 of one KMS call %.2f ms, one signature %.2f ms, one with software keys %.2f ms",
		ms(percentile(call, .5)), ms(percentile(whole, .5)), ms(percentile(soft, .5)))
	results.record("single_sign_overhead_ms"+name, ms(percentile(whole, .5)-percentile(call, .5)), "ms", "<= 5")
	results.record("single_sign_p50_ms"+name, ms(percentile(whole, .5)), "ms", "")
	results.record("single_sign_p99_ms"+name, ms(percentile(whole, .99)), "ms", "")
	results.record("single_sign_software_p50_ms"+name, ms(percentile(soft, .5)), "ms", "")
}

// single takes the time of calls to KMS, and of single signatures of each
// fleet, in turn.
func (f *fleets) single(b *testing.B) (call, hard, soft []time.Duration) {
	clock := func(list *[]time.Duration, what func() error) {
		start := time.Now()
		if err := what(); err != nil {
			b.Fatal(err)
		}
		*list = append(*list, time.Since(start))
	}
	for i := range singles {
		clock(&call, func() error {
			_, err := f.provider.Sign(b.Context(), [32]byte(freshMessage()))
			return err
		})
		clock(&hard, func() error { return f.hard.sign(b, 0, f.hard.keys[0][i:i+1]) })
		clock(&soft, func() error { return f.soft.sign(b, 0, f.soft.keys[0][i:i+1]) })
	}
	return call, hard, soft
}

const bursts = 7

// benchBurst asks for single signatures all at once, and at 20 ms one by one
// as well.
func (f *fleets) benchBurst(b *testing.B, latency time.Duration) {
	name, goal := fmt.Sprintf("burst_%d_%dms", burstSize, latency.Milliseconds()), ""
	counted := latency == 20*time.Millisecond
	if counted {
		name, goal = fmt.Sprintf("burst_%d_ms", burstSize), "< 400"
	}
	var took, soft []time.Duration
	for range bursts {
		before := f.calls()
		took = append(took, f.hard.burst(b))
		after := f.calls()
		soft = append(soft, f.soft.burst(b))
		results.say("%d jobs at once: KMS %.0f ms with %d, %d, %d calls of Sign by the nodes; software %.0f ms", burstSize, ms(took[len(took)-1]),
			after[0].sign-before[0].sign, after[1].sign-before[1].sign, after[2].sign-before[2].sign, ms(soft[len(soft)-1]))
	}
	results.record(name, ms(percentile(took, .5)), "ms", goal)
	if !counted {
		return
	}
	results.record("burst_200_software_ms", ms(percentile(soft, .5)), "ms", "")
	start := time.Now()
	for i := range burstSize {
		if err := f.hard.sign(b, 0, f.hard.keys[0][i:i+1]); err != nil {
			b.Fatal(err)
		}
	}
	results.record("one_by_one_200_ms", ms(time.Since(start)), "ms", "")
}

// burst has burstSize jobs of one message published at once and takes the time
// until the last signature is verified.
func (s *side) burst(b *testing.B) time.Duration {
	b.Helper()
	failed := make(chan error, burstSize)
	var all sync.WaitGroup
	start := time.Now()
	for i := range burstSize {
		c, k := i%clients, i/clients
		all.Go(func() {
			if err := s.sign(b, c, s.keys[c][k:k+1]); err != nil {
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
