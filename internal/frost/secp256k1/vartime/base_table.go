package vartime

import (
	"sync"
	"sync/atomic"
)

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
	t := makeWideTable()
	madeWide.Store(&t)
	return t
})

// madeWide is wideTable, once that is made.
var madeWide atomic.Pointer[[][]Point]

func makeWideTable() [][]Point {
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
}

// baseDigits writes the digits of k, each from -baseDigit to baseDigit, to every n-th
// place of digits. With half a digit added everywhere but in the last they are bits of k
// without carries.
func baseDigits(k *Scalar, digits []int16, n int) {
	sign, l := int16(1), limbsOf(k)
	if l[3]>>63 == 1 {
		sign, l = -1, *groupOrder.minus(&l)
	}
	l = *l.plus(&halfDigits)
	for pos := range baseLast {
		digits[pos*n] = sign * (int16(window(&l, baseBits*pos)&(1<<baseBits-1)) - baseDigit)
	}
	digits[baseLast*n] = sign * int16(window(&l, baseBits*baseLast))
}

// groupOrder is the order of the group.
var groupOrder = limbs{0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff}

// halfDigits is baseDigit in all places but the last.
var halfDigits = func() (l limbs) {
	for pos := range baseLast {
		bit := baseBits*pos + baseBits - 1
		l[bit/64] |= 1 << (bit % 64)
	}
	return l
}()
