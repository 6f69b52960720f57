package field

import "testing"

func BenchmarkField(b *testing.B) {
	x, y := Element{1, 2, 3, 4}, Element{^uint64(0), 2, 3, 1 << 63}
	for _, op := range []struct {
		name string
		f    func()
	}{
		{"add", func() { x.Add(&x, &y) }},
		{"mul", func() { x.Mul(&x, &y) }},
		{"square", func() { x.Square(&x) }},
		{"invert", func() { x.Invert(&x) }},
		{"sqrt", func() { y.SqrtVartime(&x) }},
	} {
		b.Run(op.name, func(b *testing.B) {
			for b.Loop() {
				op.f()
			}
		})
	}
}
