package consttime

import (
	"fmt"
	"testing"
)

func BenchmarkBaseMults(b *testing.B) {
	r := newRand(1)
	wideTable()
	for _, n := range []int{1, 2, 4, 5, 6, 7, 8, 16, 64, 256, 1000} {
		scalars := make([]*Scalar, n)
		for i := range scalars {
			scalars[i] = randomScalar(r)
		}
		each := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*n), "µs/scalar")
			})
		}
		each("batched", func() { BaseMults(scalars) })
		each("voi", func() {
			for _, s := range scalars {
				baseMult(s)
			}
		})
	}
}
