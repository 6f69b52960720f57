package edwards25519

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"

	"filippo.io/edwards25519"
)

// Multiples of the base point take digits of baseBits bits, 21 of them; the last has
// one more. A bit more or less of each would be an addition and a half less or more, for
// twice or half the memory.
const (
	baseBits  = 12
	baseLast  = 252/baseBits - 1 // the position of the last digit
	baseDigit = 1 << (baseBits - 1)
)

// manyBases is from how many multiples on the table, which is for processors without lanes, pays for
// itself soon enough. One that
// is there is used for a single multiple as well: without it that costs three times as much.
const manyBases = 16

var tableIsThere atomic.Bool

// baseTable has at [i] j·2^(12i)·B for j from 1 on, each at j-1. It takes 15 ms and five
// megabytes, so it is made when first needed.
var baseTable = sync.OnceValue(func() [][]cached {
	t := make([][]cached, baseLast+1)
	base := edwards25519.NewGeneratorPoint()
	for i := range t {
		size := baseDigit
		if i == baseLast {
			size *= 2
		}
		x, y, z, xy := base.ExtendedCoordinates()
		first, sums := make([]Affine, 1), make([]extended, size)
		sums[0] = extended{*x, *y, *z, *xy}
		affine(first, sums[:1])
		step := first[0].cache()
		for j := range sums[1:] {
			sums[j+1] = sums[j]
			sums[j+1].add(&step, 0)
		}
		points := make([]Affine, size)
		affine(points, sums)
		t[i] = make([]cached, size)
		for j := range points {
			t[i][j] = points[j].cache()
		}
		for range baseBits {
			base.Double(base)
		}
	}
	tableIsThere.Store(true)
	return t
})

// AddBaseMultsVartime adds to each point the multiple of the base point by a canonical
// scalar of 32 bytes. Public data only. Many at once cost a third each. It panics if the
// lengths differ.
func AddBaseMultsVartime(points []Affine, scalars [][ScalarSize]byte) {
	if len(points) != len(scalars) {
		panic("edwards25519: as many scalars as points are needed")
	}
	if !addTogether(points, scalars) {
		addApart(points, scalars)
	}
}

// addApart is AddBaseMultsVartime without lanes.
func addApart(points []Affine, scalars [][ScalarSize]byte) {
	sums := make([]extended, len(points))
	if len(points) >= manyBases || tableIsThere.Load() {
		addByTable(sums, points, scalars)
	} else {
		addEach(sums, points, scalars)
	}
	affine(points, sums)
}

func addByTable(sums []extended, points []Affine, scalars [][ScalarSize]byte) {
	terms := new(baseTerms)
	for i := range points {
		sums[i] = points[i].extend()
		terms.set(&scalars[i])
		for j := range terms.n {
			sums[i].add(&terms.of[j], terms.signs[j])
		}
	}
}

func addEach(sums []extended, points []Affine, scalars [][ScalarSize]byte) {
	for i := range points {
		sums[i] = baseMult(&scalars[i])
		c := points[i].cache()
		sums[i].add(&c, 0)
	}
}

// baseMult is one multiple of the base point, without the table.
func baseMult(scalar *[ScalarSize]byte) extended {
	s, err := edwards25519.NewScalar().SetCanonicalBytes(scalar[:])
	if err != nil {
		panic("edwards25519: a scalar that is not canonical")
	}
	x, y, z, t := new(edwards25519.Point).ScalarBaseMult(s).ExtendedCoordinates()
	return extended{*x, *y, *z, *t}
}

// baseTerms are what adds up to a multiple of the base point, one of each row of the
// table, copied before they are needed: without a wait for each place of the table.
type baseTerms struct {
	of    [baseLast + 1]cached
	signs [baseLast + 1]int
	n     int
}

// set finds the terms. With half a digit added everywhere but in the last, digits from
// -baseDigit to baseDigit are bits of the scalar without carries.
func (b *baseTerms) set(scalar *[ScalarSize]byte) {
	if scalar[31] > 0x10 {
		panic("edwards25519: a scalar that is not canonical")
	}
	var l [5]uint64 // the last is 0
	carry := uint64(0)
	for i := range 4 {
		l[i], carry = bits.Add64(binary.LittleEndian.Uint64(scalar[8*i:]), halfDigits[i], carry)
	}
	b.n = 0
	for pos, row := range baseTable() {
		at := pos * baseBits
		d := int(l[at/64]>>(at%64) | l[at/64+1]<<(64-at%64))
		if pos < baseLast {
			d = d&(1<<baseBits-1) - baseDigit
		}
		if sign := d >> (bits.UintSize - 1) & 1; d != 0 {
			b.of[b.n], b.signs[b.n] = row[(d^-sign)+sign-1], sign
			b.n++
		}
	}
}

// halfDigits is baseDigit in all places but the last.
var halfDigits = func() (l [4]uint64) {
	for pos := range baseLast {
		bit := baseBits*pos + baseBits - 1
		l[bit/64] |= 1 << (bit % 64)
	}
	return l
}()
