package keystore

import (
	"encoding/hex"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// BenchmarkStart is what a start costs the store: opening it and listing what it
// has. Batches are of 1,000 keys, as bulk jobs make them, or of one.
func BenchmarkStart(b *testing.B) {
	for _, size := range []struct {
		name       string
		batches, k int
	}{{"100x1000", 100, 1000}, {"20000x1", 20_000, 1}} {
		b.Run(size.name, func(b *testing.B) {
			dir := b.TempDir()
			s := open(b, dir)
			s.db.NoSync = true
			for i := range size.batches {
				r := sample(i, 3, 2, size.k, frost.Secp256k1TR)
				r.Batch = spread(i)
				for j := range r.Deals {
					r.Deals[j] = stream(350*size.k, "deal")
				}
				if err := s.PutRecovered(r); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				s := open(b, dir)
				known := 0
				if err := s.Known(func(Ref, [32]byte, [32]byte, bool, bool) { known++ }); err != nil || known != size.batches {
					b.Fatalf("%d batches, %v", known, err)
				}
				if pending, err := s.Pending(); err != nil || len(pending) > 0 {
					b.Fatalf("%d pending, %v", len(pending), err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size.batches), "µs/batch")
		})
	}
}

// spread gives ids in no order, as hashes are.
func spread(i int) string { return hex.EncodeToString(stream(16, "id", i)) }
