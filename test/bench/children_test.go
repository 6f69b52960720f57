package bench_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/benchreport"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

const childrenPairs = 10

// BenchmarkChildren is what it costs to sign with children: the processor time of a fleet in
// this process and of its client for bulk jobs, with paths to that without, in turns.
func BenchmarkChildren(b *testing.B) {
	s := inProcess(b, fleettest.Options{Log: slog.New(slog.DiscardHandler), Unobserved: true})
	for _, work := range []struct {
		chain, suite string
		count        int
	}{{"bitcoin", "taproot", 3000}, {"solana", "ed25519", 2000}} {
		b.Run(work.suite, func(b *testing.B) {
			keys := s.keysOf(b, work.chain)
			name := "children_cpu_ratio_" + work.suite
			// As deposits of an exchange are: of one key, no child twice.
			results.Record(name, s.childrenRatio(b, keys[:1], work.count), "ratio", "<= 1.03")
			results.Record(name+"_of_many_keys", s.childrenRatio(b, keys, work.count), "ratio", "")
		})
	}
}

// childrenRatio is the median of pairs. Whoever is first takes turns, too.
func (s *side) childrenRatio(b *testing.B, keys []client.Key, count int) float64 {
	b.Helper()
	var index int // of a child that has not signed
	sign := func(children bool) float64 {
		asked := items(keys, count)
		for i := range asked {
			if !children {
				continue
			}
			asked[i].Path, asked[i].ChainCode = fmt.Sprintf("0/%d", index), keys[i%len(keys)].ChainCode
			index++
		}
		return float64(processorTime(b, func() {
			if _, err := s.client.Sign(b.Context(), client.SignRequest{Items: asked}); err != nil {
				b.Fatal(err)
			}
		}))
	}
	sign(false)
	sign(true) // warm
	var ratios []float64
	for i := range childrenPairs {
		childrenFirst := i%2 == 1
		first, second := sign(childrenFirst), sign(!childrenFirst)
		if !childrenFirst {
			first, second = second, first
		}
		ratios = append(ratios, first/second)
	}
	results.Say("processor time with paths to that without, keys %d: %.3f", len(keys), ratios)
	return benchreport.Median(ratios)
}
