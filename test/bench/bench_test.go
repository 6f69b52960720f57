// Package bench_test measures a 2-of-3 fleet end to end: three workers, a
// gateway and a bus that syncs every write, each a process of its own on this
// machine, with software keys. Everything that a user waits for is in the
// figures, the client's own checks included.
package bench_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

func TestMain(m *testing.M) {
	bin, err := fleettest.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(bin)
	os.Exit(code)
}

// chains are the two suites by the names that users know.
var chains = []string{"bitcoin", "solana"}

func keygen(b *testing.B, c *client.Client, chain string, count int) []client.Key {
	b.Helper()
	result, err := c.Keygen(b.Context(), client.KeygenRequest{Chain: chain, Count: count})
	if err != nil {
		b.Fatal(err)
	}
	return result.Keys
}

func sign(b *testing.B, c *client.Client, keys []client.Key, salt int) {
	b.Helper()
	items := make([]client.SignItem, len(keys))
	for i, k := range keys {
		message := sha256.Sum256(fmt.Append(nil, salt, i))
		items[i] = client.SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message[:]}
	}
	if _, err := c.Sign(b.Context(), client.SignRequest{Items: items}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkKeygen: one operation is a request for 5,000 keys.
func BenchmarkKeygen(b *testing.B) {
	for _, chain := range chains {
		b.Run(chain, func(b *testing.B) {
			const count = 5000
			c := fleettest.StartProcesses(b, fleettest.Options{}).Client()
			keygen(b, c, chain, 1)
			for b.Loop() {
				keygen(b, c, chain, count)
			}
			b.ReportMetric(float64(count*b.N)/b.Elapsed().Seconds(), "addresses/s")
		})
	}
}

// BenchmarkSignBulk: one operation is a request for 4,000 signatures, four
// jobs in flight.
func BenchmarkSignBulk(b *testing.B) {
	for _, chain := range chains {
		b.Run(chain, func(b *testing.B) {
			const count = 4000
			c := fleettest.StartProcesses(b, fleettest.Options{}).Client()
			keys := keygen(b, c, chain, count)
			for salt := 0; b.Loop(); salt++ {
				sign(b, c, keys, salt)
			}
			b.ReportMetric(float64(count*b.N)/b.Elapsed().Seconds(), "signatures/s")
		})
	}
}

// BenchmarkSignSingle: one operation is one job with one message, on an idle
// fleet.
func BenchmarkSignSingle(b *testing.B) {
	for _, chain := range chains {
		b.Run(chain, func(b *testing.B) {
			c := fleettest.StartProcesses(b, fleettest.Options{}).Client()
			keys := keygen(b, c, chain, 1)
			var took []time.Duration
			for salt := 0; b.Loop(); salt++ {
				start := time.Now()
				sign(b, c, keys, salt)
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			at := func(share float64) float64 {
				return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
			}
			b.ReportMetric(at(.5), "p50-ms")
			b.ReportMetric(at(.99), "p99-ms")
		})
	}
}
