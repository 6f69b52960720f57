package secp256k1

import (
	"fmt"
	"testing"
)

func BenchmarkMultiScalarMultVartime(b *testing.B) {
	for _, bitLen := range []int{128, 256} {
		for _, n := range []int{8, 16, 24, 32, 64, 256, 1000, 4096, 10000} {
			scalars, points := randomTerms(n, bitLen)
			b.Run(fmt.Sprintf("bits=%d/n=%d", bitLen, n), func(b *testing.B) {
				for b.Loop() {
					MultiScalarMultVartime(scalars, points)
				}
				perPoint(b, n)
			})
		}
	}
}

// BenchmarkStraus and BenchmarkPippenger show whether the costs that
// MultiScalarMultVartime compares are right.
func BenchmarkStraus(b *testing.B) {
	benchmarkSmall(b, func(s []*Scalar, p []*Point) { new(Point).MultiScalarMultVartime(s, p) })
}

func BenchmarkPippenger(b *testing.B) {
	benchmarkSmall(b, func(s []*Scalar, p []*Point) { pippengerVartime(s, p) })
}

func benchmarkSmall(b *testing.B, mult func([]*Scalar, []*Point)) {
	for _, n := range []int{4, 8, 16, 24, 32, 64} {
		scalars, points := randomTerms(n, 256)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				mult(scalars, points)
			}
			perPoint(b, n)
		})
	}
}

func BenchmarkCodec(b *testing.B) {
	_, points := randomTerms(64, 256)
	wire := EncodePoints(nil, points)
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			EncodePoints(wire[:0], points)
		}
		perPoint(b, len(points))
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := DecodePoints(wire); err != nil {
				b.Fatal(err)
			}
		}
		perPoint(b, len(points))
	})
}

func perPoint(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/point")
}
