package vartime

import "sync"

// Many multiples of G at once take digits of baseBits bits: 19 of them and a last one
// of 8 bits, as one of k and -k has at most 255. A bit more or less of each would be an
// addition in twenty less or more, for twice or half the memory.
const (
	baseBits  = 13
	baseLast  = 255 / baseBits // the position of the last digit
	baseDigit = 1 << (baseBits - 1)
)

// wideTable has at [i] j·2^(13i)·G for j from 1 on, each at j-1. It takes 10 ms and
// five megabytes, so it is made when first needed.
var wideTable = sync.OnceValue(func() [][]Point {
	t := make([][]Point, baseLast+1)
	powers := make([]Jacobian, len(t))
	p := Jacobian{generator.x, generator.y, one}
	for i := range powers {
		powers[i] = p
		for range baseBits {
			p.double()
		}
	}
	last := make([]Point, baseDigit/2)
	for i, base := range Affine(powers...) {
		size := baseDigit
		if i == baseLast {
			size = 1 << (255 - baseBits*baseLast)
		}
		row := append(make([]Point, 0, size), base)
		for n := 1; n < size; n *= 2 { // the first n, and n times the base added to each
			for j := range last[:n] {
				last[j] = row[n-1]
			}
			row = append(row, row...)
			AddAll(row[n:], last[:n])
		}
		t[i] = row
	}
	return t
})

// baseDigits writes the digits of k, one a column, each from -baseDigit to baseDigit.
// With half a digit added everywhere but in the last they are bits of k without carries.
func baseDigits(k *Scalar, digit func(pos int, d int16)) {
	sign := int16(1)
	if k.IsGreaterThanHalfN() == 1 {
		k, sign = new(Scalar).Negate(k), -1
	}
	l := limbsOf(k)
	l = *l.plus(&halfDigits)
	for pos := range baseLast {
		digit(pos, sign*(int16(window(&l, baseBits*pos)&(1<<baseBits-1))-baseDigit))
	}
	digit(baseLast, sign*int16(window(&l, baseBits*baseLast)))
}

// halfDigits is baseDigit in all places but the last.
var halfDigits = func() (l limbs) {
	for pos := range baseLast {
		bit := baseBits*pos + baseBits - 1
		l[bit/64] |= 1 << (bit % 64)
	}
	return l
}()
