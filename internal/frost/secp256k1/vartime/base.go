package vartime

import "sync"

// baseTable has j·2^(8i)·G at [i][j-1] for j up to 128.
type baseTable [32][128]Point

// generatorTable takes a millisecond and 256 KiB, so it is made when first
// needed.
var generatorTable = sync.OnceValue(func() *baseTable {
	t := new(baseTable)
	powers := make([]Jacobian, len(t))
	p := Jacobian{generator.x, generator.y, one}
	for i := range powers {
		powers[i] = p
		for range 8 {
			p.double()
		}
	}
	bases := Affine(powers...)
	row := make([]Point, len(t))
	for j := range t[0] {
		AddAll(row, bases)
		for i := range row {
			t[i][j] = row[i]
		}
	}
	return t
})

// BaseMult returns s·G for a public s.
func BaseMult(s *Scalar) Jacobian {
	t := generatorTable()
	// Of s and -s one has its highest bit clear, so that no carry is left over.
	negative := s.IsGreaterThanHalfN() == 1
	if negative {
		s = new(Scalar).Negate(s)
	}
	l := limbsOf(s)
	var sum Jacobian
	for i := range t {
		switch d := l.digit(i, 8); {
		case d > 0:
			sum.addProper(&t[i][d-1])
		case d < 0:
			q := t[i][-d-1].Negate()
			sum.addProper(&q)
		}
	}
	if negative {
		return sum.Negate()
	}
	return sum
}
