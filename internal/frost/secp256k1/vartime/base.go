package vartime

import (
	"runtime"
	"sync"
	"sync/atomic"
)

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

// manySingles is after how many of them the wide table pays for single multiples of G too.
const manySingles = 4096

// singles counts multiples that were made without it.
var singles atomic.Int64

// BaseMult returns s·G for a public s.
func BaseMult(s *Scalar) Jacobian {
	if t := madeWide.Load(); t != nil {
		return wideMult(*t, s)
	}
	if singles.Add(1) == manySingles {
		go wideTable() // nobody waits for it
	}
	return narrowMult(s)
}

// wideMult takes 20 additions, where narrowMult takes 32.
func wideMult(t [][]Point, s *Scalar) (sum Jacobian) {
	var digits [baseLast + 1]int16
	baseDigits(s, digits[:], 1)
	var touched uint64
	for pos, d := range digits { // without a wait for each: what the table is read for first
		if d != 0 {
			touched ^= t[pos][magnitude(d)-1].x[0]
		}
	}
	for pos, d := range digits {
		sum.addDigit(t[pos], int(d))
	}
	runtime.KeepAlive(touched)
	return sum
}

// addDigit adds a multiple of a row's base, as the digit says.
func (p *Jacobian) addDigit(row []Point, d int) {
	switch {
	case d > 0:
		p.addProper(&row[d-1])
	case d < 0:
		q := row[-d-1].Negate()
		p.addProper(&q)
	}
}

func narrowMult(s *Scalar) (sum Jacobian) {
	t := generatorTable()
	// Of s and -s one has its highest bit clear, so that no carry is left over.
	negative := s.IsGreaterThanHalfN() == 1
	if negative {
		s = new(Scalar).Negate(s)
	}
	l := limbsOf(s)
	for i := range t {
		sum.addDigit(t[i][:], l.digit(i, 8))
	}
	if negative {
		return sum.Negate()
	}
	return sum
}
