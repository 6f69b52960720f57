package vartime

import (
	"encoding/binary"
	"math/bits"
)

// Any scalar k is k1 + k2·lambda modulo the order for two short k1, k2, and
// lambda·P costs one field multiplication: two scalars of 128 bits take half
// the doublings of one of 256. The method is that of Gallant, Lambert and
// Vanstone; constants and rounding are libsecp256k1's:
//
//	c1 = round(k·g1 / 2^384)     c2 = round(k·g2 / 2^384)
//	k1 = k - c1·a1 - c2·a2       k2 = -c1·b1 - c2·b2

// limbs is a number, lowest limb first.
type limbs [4]uint64

var (
	g1 = limbs{0xe893209a45dbb031, 0x3daa8a1471e8ca7f, 0xe86c90e49284eb15, 0x3086d221a7d46bcd}
	g2 = limbs{0x1571b4ae8ac47f71, 0x221208ac9df506c6, 0x6f547fa90abfe4c4, 0xe4437ed6010e8828}
	// a1, which is also b2; -b1; and a2.
	a1      = limbs{0xe86c90e49284eb15, 0x3086d221a7d46bcd}
	minusB1 = limbs{0x6f547fa90abfe4c3, 0xe4437ed6010e8828}
	a2      = limbs{0x57c1108d9d44cfd8, 0x14ca50f7a8e2f3f6, 1}
)

// limbsOf returns the number of a scalar.
func limbsOf(s *Scalar) (l limbs) {
	b := s.Bytes()
	for i := range l {
		l[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return l
}

func (l *limbs) bitLen() int {
	for i := 3; i >= 0; i-- {
		if l[i] != 0 {
			return 64*i + bits.Len64(l[i])
		}
	}
	return 0
}

// term is one of the two scalars: its absolute value, of at most 128 bits, and
// its sign.
type term struct {
	abs      limbs
	negative bool
}

// split returns k1 and k2.
func (l *limbs) split() (k1, k2 term) {
	c1, c2 := l.scale(&g1), l.scale(&g2)
	x1, x2 := times(&c1, &a1), times(&c2, &a2)
	y1, y2 := times(&c1, &minusB1), times(&c2, &a1)
	v, w := l.minus(&x1).minus(&x2), y1.minus(&y2)
	return v.signed(), w.signed()
}

// scale returns l·g / 2^384, rounded: two limbs.
func (l *limbs) scale(g *limbs) (c [2]uint64) {
	var r [8]uint64
	for i, x := range l {
		var carry uint64
		for j, y := range g {
			hi, lo := bits.Mul64(x, y)
			var c uint64
			lo, c = bits.Add64(lo, carry, 0)
			hi += c
			r[i+j], c = bits.Add64(r[i+j], lo, 0)
			carry = hi + c
		}
		r[i+4] = carry
	}
	c[0], c[1] = bits.Add64(r[6], r[5]>>63, 0)
	c[1] += r[7]
	return c
}

// times returns c·m modulo 2^256, for an m of at most three limbs.
func times(c *[2]uint64, m *limbs) (r limbs) {
	for i, x := range c {
		var carry uint64
		for j := 0; j < 3 && i+j < 4; j++ {
			hi, lo := bits.Mul64(x, m[j])
			var c uint64
			lo, c = bits.Add64(lo, carry, 0)
			hi += c
			r[i+j], c = bits.Add64(r[i+j], lo, 0)
			carry = hi + c
		}
		if i == 0 {
			r[3] = carry
		}
	}
	return r
}

// minus returns l - m modulo 2^256.
func (l *limbs) minus(m *limbs) *limbs {
	var d limbs
	var c uint64
	for i := range d {
		d[i], c = bits.Sub64(l[i], m[i], c)
	}
	return &d
}

// plus returns l + m modulo 2^256.
func (l *limbs) plus(m *limbs) *limbs {
	var sum limbs
	var c uint64
	for i := range sum {
		sum[i], c = bits.Add64(l[i], m[i], c)
	}
	return &sum
}

// signed reads two's complement.
func (l *limbs) signed() term {
	if l[3]>>63 == 0 {
		return term{*l, false}
	}
	return term{*new(limbs).minus(l), true}
}
