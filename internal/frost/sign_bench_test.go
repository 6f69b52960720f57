package frost

import (
	"crypto/rand"
	"fmt"
	"testing"
)

// benchmarks run over both suites and the shapes that docs/performance.md has figures for.
func benchSign(b *testing.B, f func(b *testing.B, s Suite, n, t, count int)) {
	for _, s := range []Suite{Secp256k1TR, Ed25519} {
		for _, c := range []struct{ t, n, count int }{{2, 3, 1}, {2, 3, 100}, {16, 24, 20}} {
			b.Run(fmt.Sprintf("%s/%s/%d", s, size(c.n, c.t), c.count), func(b *testing.B) {
				f(b, s, c.n, c.t, c.count)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*c.count), "µs/item")
			})
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	benchSign(b, func(b *testing.B, s Suite, n, t, count int) {
		items := newItems(b, s, n, t, count)
		b.ResetTimer()
		for range b.N {
			if _, _, err := Commit(rand.Reader, [32]byte{}, form, items[0]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCheckCommitment(b *testing.B) {
	benchSign(b, func(b *testing.B, s Suite, n, t, count int) {
		g := newSigning(b, s, n, t, count)
		b.ResetTimer()
		for range b.N {
			if err := CheckCommitment(form, s, count, g.set[0].Points); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSign(b *testing.B) {
	benchSign(b, func(b *testing.B, s Suite, n, t, count int) {
		g := newSigning(b, s, n, t, count)
		b.ResetTimer()
		for range b.N {
			b.StopTimer()
			nonces, points, err := Commit(rand.Reader, [32]byte{}, form, g.items[0])
			if err != nil {
				b.Fatal(err)
			}
			g.set[0].Points = points
			b.StartTimer()
			if _, err := nonces.Sign(g.set); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAggregate(b *testing.B) {
	benchSign(b, func(b *testing.B, s Suite, n, t, count int) {
		g := newSigning(b, s, n, t, count)
		shares := g.signAll(b)
		items := g.public()
		b.ResetTimer()
		for range b.N {
			if _, blame, err := Aggregate(form, items, g.set, shares); err != nil || blame != nil {
				b.Fatal(err, blame)
			}
		}
	})
}
