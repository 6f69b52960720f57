package field

import "testing"

func BenchmarkField(b *testing.B) {
	x, y := Element{1, 2, 3, 4}, Element{^uint64(0), 2, 3, 1 << 63}
	var lx, ly Lanes
	lx.Broadcast(&x)
	ly.Broadcast(&y)
	for _, op := range []struct {
		name string
		f    func()
	}{
		{"add", func() { x.Add(&x, &y) }},
		{"mul", func() { x.Mul(&x, &y) }},
		{"square", func() { x.Square(&x) }},
		{"invert", func() { x.Invert(&x) }},
		{"lanes of 8: add", func() { lx.Add(&lx, &ly) }},
		{"lanes of 8: sub", func() { lx.Sub(&lx, &ly) }},
		{"lanes of 8: mul", func() { lx.Mul(&lx, &ly) }},
		{"lanes of 8: square", func() { lx.Square(&lx) }},
		{"sqrt", func() { y.SqrtVartime(&x) }},
	} {
		b.Run(op.name, func(b *testing.B) {
			for b.Loop() {
				op.f()
			}
		})
	}
}
