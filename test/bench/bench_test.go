package bench_test

import (
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/benchreport"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// BenchmarkFleet measures each goal of the 2-of-3 fleet once, whatever b.N is:
// run it with -benchtime 1x.
func BenchmarkFleet(b *testing.B) {
	s := startSide(b, fleettest.Options{}, 3)
	b.Run("disk", s.benchDisk)
	b.Run("single", func(b *testing.B) {
		s.benchSingle(b, "bitcoin", "single_sign", "<= 3 + 2 syncs", "<= 7")
		s.benchSingle(b, "solana", "single_sign_ed25519", "", "")
	})
	b.Run("keygen", func(b *testing.B) {
		s.bulk["keygen"] = s.benchBulk(b, bulk{"keygen", "bitcoin", "taproot_addresses_per_second", ">= 6500", 15_000})
		s.benchBulk(b, bulk{"keygen", "solana", "ed25519_addresses_per_second", ">= 7500", 20_000})
	})
	b.Run("sign", func(b *testing.B) {
		s.bulk["sign"] = s.benchBulk(b, bulk{"sign", "bitcoin", "taproot_signatures_per_second", ">= 6000", 12_000})
		s.benchBulk(b, bulk{"sign", "solana", "ed25519_signatures_per_second", ">= 3500", 8_000})
	})
	b.Run("psbt", s.benchPSBT)
	b.Run("collected", s.benchCollected)
	b.Run("loaded", func(b *testing.B) {
		s.benchPaced(b)
		s.benchLoaded(b, "sign", "loaded_sign")
		s.benchLoaded(b, "keygen", "loaded_keygen_sign")
	})
	b.Run("reshare", benchReshare)
}

// bulk is work in large requests, which the client cuts into jobs of the
// largest size and keeps eight of under way at most.
type bulk struct {
	what, chain string // which name a work of floorWork and a request
	name, goal  string // of the figure
	count       int    // items of one request
}

// rounds of a throughput, each after its ideal. The figures are the medians.
const rounds = 3

// benchBulk measures a throughput and its ideal in turns, and returns the
// throughput.
func (s *side) benchBulk(b *testing.B, w bulk) float64 {
	b.Helper()
	s.do(b, w, 1000) // warm
	all := make([]round, rounds)
	for i := range all {
		all[i] = s.round(b, w)
	}
	medianOf := func(value func(round) float64) float64 {
		var values []float64
		for _, r := range all {
			values = append(values, value(r))
		}
		return benchreport.Median(values)
	}
	value := medianOf(func(r round) float64 { return r.perSecond })
	results.RecordIdeal(w.name, value, "a second", w.goal,
		medianOf(func(r round) float64 { return r.idealPerSecond() }),
		medianOf(func(r round) float64 { return r.perSecond / r.idealPerSecond() }))
	results.RecordIdeal("cpu_us_per_"+w.item(), medianOf(func(r round) float64 { return r.cpuMicros }), "µs", "",
		medianOf(func(r round) float64 { return r.ideal }),
		medianOf(func(r round) float64 { return r.ideal / r.cpuMicros }))
	results.Record(w.ideal(), medianOf(func(r round) float64 { return r.cpuMicros / r.ideal }), "ratio", "")
	results.Record(
		"allocations_per_"+w.item(),
		medianOf(func(r round) float64 { return r.floor.mallocs }),
		"allocations",
		"",
	)
	results.Record("allocated_bytes_per_"+w.item(), medianOf(func(r round) float64 { return r.floor.bytes }), "B", "")
	return value
}

// round is one measurement of a bulk.
type round struct {
	perSecond, cpuMicros float64 // all processes of the fleet, and the client
	ideal                float64 // µs of processor time
	floor                floor   // the mathematics alone
}

// idealPerSecond is what all cores would do.
func (r round) idealPerSecond() float64 { return float64(cores) * 1e6 / r.ideal }

func (s *side) round(b *testing.B, w bulk) (r round) {
	b.Helper()
	r.floor = measureFloor(b, w.what+"-"+w.chain, cores)
	r.ideal = idealMicros(b, w.what+"-"+w.chain)
	before, start := s.usage(b), time.Now()
	s.do(b, w, w.count)
	r.perSecond = float64(w.count) / time.Since(start).Seconds()
	used := s.usage(b).minus(before)
	r.cpuMicros = float64(used.total().Microseconds()) / float64(w.count)
	results.Say("%s %s: %.0f a second, ideal %.0f; CPU µs each: %s, all %.0f; mathematics %.0f, ideal %.0f",
		w.what, w.chain, r.perSecond, r.idealPerSecond(), used.per(w.count), r.cpuMicros, r.floor.cpuMicros, r.ideal)
	return r
}

// item is what is made, in the name of a figure.
func (w bulk) item() string {
	return map[string]string{"bitcoin": "taproot", "solana": "ed25519"}[w.chain] +
		map[string]string{"keygen": "_address", "sign": "_signature"}[w.what]
}

// ideal names the ratio to the ideal.
func (w bulk) ideal() string {
	return "ideal_ratio_" + map[string]string{"bitcoin": "taproot_", "solana": "ed25519_"}[w.chain] + w.what
}

func (s *side) do(b *testing.B, w bulk, count int) {
	b.Helper()
	if w.what == "keygen" {
		s.keygen(b, w.chain, count)
		return
	}
	s.sign(b, w.chain, count)
}

const (
	largeN, largeT = 24, 16
	// largeBatch is how many keys of a 16-of-24 fleet fit one batch
	// (docs/protocol.md, Limits).
	largeBatch = 385
)

// BenchmarkLarge takes the processor time of 24 workers. Two cores are
// too few for them, so a throughput would say little.
func BenchmarkLarge(b *testing.B) {
	s := startSide(b, fleettest.Options{N: largeN, T: largeT}, largeN)
	const count = 2 * largeBatch
	s.keygen(b, "bitcoin", 24) // warm
	before, start := s.usage(b), time.Now()
	s.keygen(b, "bitcoin", count)
	took, used := time.Since(start), s.usage(b).minus(before)
	floor, ideal := measureFloor(b, "keygen-bitcoin-16-of-24", 1), idealMicros(b, "keygen-bitcoin-16-of-24")/1000
	results.Say("%d addresses in %.1fs; CPU µs each: %s; mathematics %.0f", count, took.Seconds(), used.per(count), floor.cpuMicros)
	value, all := used.nodes.Seconds()*1000/count, used.total().Seconds()*1000/count
	results.RecordIdeal("cpu_ms_per_address_16_of_24", value, "ms", "<= 20", ideal, ideal/all)
	results.Record("ideal_ratio_16_of_24_keygen", all/ideal, "ratio", "")
}
