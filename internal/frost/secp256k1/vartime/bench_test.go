package vartime

import (
	"fmt"
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"
)

func BenchmarkPoint(b *testing.B) {
	s := randomScalar(newRand(1), 256)
	p := FromPoint(secp.NewIdentityPoint().ScalarBaseMult(s))
	q := BaseMult(s)
	wire := p.AppendWire(nil)
	for _, op := range []struct {
		name string
		f    func()
	}{
		{"double", q.double},
		{"from secret", func() { p = FromPoint(secp.NewGeneratorPoint()) }},
		{"addAffine", func() { q.AddPoint(&p) }},
		{"add", func() { r := q; r.Add(&q) }},
		{"decode", func() { Decode(wire) }},
		{"baseMult", func() { BaseMult(s) }},
		{"voiBaseMult", func() { secp.NewIdentityPoint().ScalarBaseMult(s) }},
		{"affine", func() { Affine(q) }},
	} {
		b.Run(op.name, func(b *testing.B) {
			for b.Loop() {
				op.f()
			}
		})
	}
}

func BenchmarkMultiScalarMult(b *testing.B) {
	for _, bitLen := range []int{128, 256} {
		for _, n := range []int{1, 2, 3, 8, 24, 64, 256, 1000, 4096, 10000} {
			scalars, points, _ := randomTerms(newRand(1), n, bitLen)
			b.Run(fmt.Sprintf("bits=%d/n=%d", bitLen, n), func(b *testing.B) {
				for b.Loop() {
					MultiScalarMult(scalars, points)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/point")
			})
		}
	}
}
