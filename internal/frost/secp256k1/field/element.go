// Package field is the field of secp256k1's coordinates, for public and for secret
// values: no function branches on an element, or looks anything up by one, except those
// with Vartime in their name, which take public values only. Elements do not print, and
// whoever holds secret ones wipes them; what a function of this package leaves in
// registers and on the stack, Go has no means to wipe.
package field

import (
	"encoding/binary"
	"math/bits"
)

// Element is an integer modulo the field prime p = 2^256 - 2^32 - 977, as four
// 64-bit limbs, lowest first. Sums and products may exceed p, though not 2^256;
// [Element.Reduce] makes the canonical form, which comparing and encoding need.
//
// As 2^256 is fold modulo p, whatever lies above the fourth limb is multiplied
// by fold and added below.
type Element [4]uint64

const fold = 1<<32 + 977

// Add sets e = a + b.
func (e *Element) Add(a, b *Element) *Element {
	var c uint64
	e[0], c = bits.Add64(a[0], b[0], 0)
	e[1], c = bits.Add64(a[1], b[1], c)
	e[2], c = bits.Add64(a[2], b[2], c)
	e[3], c = bits.Add64(a[3], b[3], c)
	e[0], c = bits.Add64(e[0], fold&-c, 0)
	e[1], c = bits.Add64(e[1], 0, c)
	e[2], c = bits.Add64(e[2], 0, c)
	e[3], c = bits.Add64(e[3], 0, c)
	e[0] += fold & -c // a second carry leaves less than fold
	return e
}

// Sub sets e = a - b.
func (e *Element) Sub(a, b *Element) *Element {
	var c uint64
	e[0], c = bits.Sub64(a[0], b[0], 0)
	e[1], c = bits.Sub64(a[1], b[1], c)
	e[2], c = bits.Sub64(a[2], b[2], c)
	e[3], c = bits.Sub64(a[3], b[3], c)
	e[0], c = bits.Sub64(e[0], fold&-c, 0)
	e[1], c = bits.Sub64(e[1], 0, c)
	e[2], c = bits.Sub64(e[2], 0, c)
	e[3], c = bits.Sub64(e[3], 0, c)
	e[0] -= fold & -c // a second borrow leaves more than 2^256 - fold
	return e
}

// Negate sets e = -a.
func (e *Element) Negate(a *Element) *Element { return e.Sub(&Element{}, a) }

// NegateIf sets e = -a if all bits of the mask are set and a if none is, for a reduced a
// other than 0: p - a has the bits of a inverted, less what p lacks to 2^256 - 1.
func (e *Element) NegateIf(a *Element, mask uint64) *Element {
	var c uint64
	e[0], c = bits.Sub64(a[0]^mask, (fold-1)&mask, 0)
	e[1], c = bits.Sub64(a[1]^mask, 0, c)
	e[2], c = bits.Sub64(a[2]^mask, 0, c)
	e[3], _ = bits.Sub64(a[3]^mask, 0, c)
	return e
}

// Set sets e = a, limb by limb: a copy as a whole waits for limbs that were just written.
func (e *Element) Set(a *Element) { e[0], e[1], e[2], e[3] = a[0], a[1], a[2], a[3] }

// mulLimbs sets e = a·b.
func (e *Element) mulLimbs(a, b *Element) *Element {
	var c, r4, r5, r6, r7 uint64
	b0, b1, b2, b3 := b[0], b[1], b[2], b[3]

	x := a[0]
	h0, r0 := bits.Mul64(x, b0)
	h1, r1 := bits.Mul64(x, b1)
	h2, r2 := bits.Mul64(x, b2)
	h3, r3 := bits.Mul64(x, b3)
	r1, c = bits.Add64(r1, h0, 0)
	r2, c = bits.Add64(r2, h1, c)
	r3, c = bits.Add64(r3, h2, c)
	r4 = h3 + c

	x = a[1]
	h0, l0 := bits.Mul64(x, b0)
	h1, l1 := bits.Mul64(x, b1)
	h2, l2 := bits.Mul64(x, b2)
	h3, l3 := bits.Mul64(x, b3)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	r1, c = bits.Add64(r1, l0, 0)
	r2, c = bits.Add64(r2, l1, c)
	r3, c = bits.Add64(r3, l2, c)
	r4, c = bits.Add64(r4, l3, c)
	r5 = h3 + c

	x = a[2]
	h0, l0 = bits.Mul64(x, b0)
	h1, l1 = bits.Mul64(x, b1)
	h2, l2 = bits.Mul64(x, b2)
	h3, l3 = bits.Mul64(x, b3)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	r2, c = bits.Add64(r2, l0, 0)
	r3, c = bits.Add64(r3, l1, c)
	r4, c = bits.Add64(r4, l2, c)
	r5, c = bits.Add64(r5, l3, c)
	r6 = h3 + c

	x = a[3]
	h0, l0 = bits.Mul64(x, b0)
	h1, l1 = bits.Mul64(x, b1)
	h2, l2 = bits.Mul64(x, b2)
	h3, l3 = bits.Mul64(x, b3)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	r3, c = bits.Add64(r3, l0, 0)
	r4, c = bits.Add64(r4, l1, c)
	r5, c = bits.Add64(r5, l2, c)
	r6, c = bits.Add64(r6, l3, c)
	r7 = h3 + c

	// The upper half is folded onto the lower.
	h0, l0 = bits.Mul64(r4, fold)
	h1, l1 = bits.Mul64(r5, fold)
	h2, l2 = bits.Mul64(r6, fold)
	h3, l3 = bits.Mul64(r7, fold)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	e[0], c = bits.Add64(r0, l0, 0)
	e[1], c = bits.Add64(r1, l1, c)
	e[2], c = bits.Add64(r2, l2, c)
	e[3], c = bits.Add64(r3, l3, c)
	h, l := bits.Mul64(h3+c, fold)
	e[0], c = bits.Add64(e[0], l, 0)
	e[1], c = bits.Add64(e[1], h, c)
	e[2], c = bits.Add64(e[2], 0, c)
	e[3], c = bits.Add64(e[3], 0, c)
	// What a carry leaves is below fold², two limbs with much room in the second.
	e[0], c = bits.Add64(e[0], fold&-c, 0)
	e[1] += c
	return e
}

// squareLimbs sets e = a².
func (e *Element) squareLimbs(a *Element) *Element {
	var c uint64
	a0, a1, a2, a3 := a[0], a[1], a[2], a[3]

	// The products of two different limbs, which count twice.
	h01, r1 := bits.Mul64(a0, a1)
	h02, l02 := bits.Mul64(a0, a2)
	h03, l03 := bits.Mul64(a0, a3)
	h12, l12 := bits.Mul64(a1, a2)
	h13, l13 := bits.Mul64(a1, a3)
	r6, r5 := bits.Mul64(a2, a3)
	r2, c := bits.Add64(l02, h01, 0)
	r3, c := bits.Add64(l03, h02, c)
	r4, c := bits.Add64(l13, h03, c)
	r5, c = bits.Add64(r5, h13, c)
	r6 += c
	r3, c = bits.Add64(r3, l12, 0)
	r4, c = bits.Add64(r4, h12, c)
	r5, c = bits.Add64(r5, 0, c)
	r6 += c
	r1, c = bits.Add64(r1, r1, 0)
	r2, c = bits.Add64(r2, r2, c)
	r3, c = bits.Add64(r3, r3, c)
	r4, c = bits.Add64(r4, r4, c)
	r5, c = bits.Add64(r5, r5, c)
	r6, c = bits.Add64(r6, r6, c)
	r7 := c

	// The squares of the limbs.
	h0, r0 := bits.Mul64(a0, a0)
	h1, l1 := bits.Mul64(a1, a1)
	h2, l2 := bits.Mul64(a2, a2)
	h3, l3 := bits.Mul64(a3, a3)
	r1, c = bits.Add64(r1, h0, 0)
	r2, c = bits.Add64(r2, l1, c)
	r3, c = bits.Add64(r3, h1, c)
	r4, c = bits.Add64(r4, l2, c)
	r5, c = bits.Add64(r5, h2, c)
	r6, c = bits.Add64(r6, l3, c)
	r7, _ = bits.Add64(r7, h3, c)
	// The upper half is folded onto the lower.
	h0, l0 := bits.Mul64(r4, fold)
	h1, l1 = bits.Mul64(r5, fold)
	h2, l2 = bits.Mul64(r6, fold)
	h3, l3 = bits.Mul64(r7, fold)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	e[0], c = bits.Add64(r0, l0, 0)
	e[1], c = bits.Add64(r1, l1, c)
	e[2], c = bits.Add64(r2, l2, c)
	e[3], c = bits.Add64(r3, l3, c)
	h, l := bits.Mul64(h3+c, fold)
	e[0], c = bits.Add64(e[0], l, 0)
	e[1], c = bits.Add64(e[1], h, c)
	e[2], c = bits.Add64(e[2], 0, c)
	e[3], c = bits.Add64(e[3], 0, c)
	// What a carry leaves is below fold², two limbs with much room in the second.
	e[0], c = bits.Add64(e[0], fold&-c, 0)
	e[1] += c
	return e
}

// Half sets e = a/2.
func (e *Element) Half(a *Element) *Element {
	odd := -(a[0] & 1) // an odd number is halved with p added
	var c uint64
	e[0], c = bits.Add64(a[0], prime[0]&odd, 0)
	e[1], c = bits.Add64(a[1], prime[1]&odd, c)
	e[2], c = bits.Add64(a[2], prime[2]&odd, c)
	e[3], c = bits.Add64(a[3], prime[3]&odd, c)
	e[0] = e[0]>>1 | e[1]<<63
	e[1] = e[1]>>1 | e[2]<<63
	e[2] = e[2]>>1 | e[3]<<63
	e[3] = e[3]>>1 | c<<63
	return e
}

// prime is p.
var prime = Element{-fold & (1<<64 - 1), 1<<64 - 1, 1<<64 - 1, 1<<64 - 1}

// Reduce brings e below p.
func (e *Element) Reduce() *Element {
	// Adding fold carries if e is p or more, and then what is left is e - p.
	t0, c := bits.Add64(e[0], fold, 0)
	t1, c := bits.Add64(e[1], 0, c)
	t2, c := bits.Add64(e[2], 0, c)
	t3, c := bits.Add64(e[3], 0, c)
	e[0] ^= (e[0] ^ t0) & -c
	e[1] ^= (e[1] ^ t1) & -c
	e[2] ^= (e[2] ^ t2) & -c
	e[3] ^= (e[3] ^ t3) & -c
	return e
}

// ZeroMask returns 2^64 - 1 if e is 0 modulo p, and 0 if not.
func (e *Element) ZeroMask() uint64 {
	zero := e[0] | e[1] | e[2] | e[3]
	p := (e[0] ^ (-fold & (1<<64 - 1))) | ^e[1] | ^e[2] | ^e[3]
	// Of x and -x one has its highest bit set, unless x is 0.
	return ((zero | -zero) >> 63 & ((p | -p) >> 63)) - 1
}

// OneIf sets e = 1 if all bits of the mask are set, and leaves e if none is.
func (e *Element) OneIf(mask uint64) *Element {
	e[0] = e[0]&^mask | mask&1
	e[1] &^= mask
	e[2] &^= mask
	e[3] &^= mask
	return e
}

// ReduceVartime brings e below p, a little faster.
func (e *Element) ReduceVartime() *Element {
	if e[3] == prime[3] && e[2] == prime[2] && e[1] == prime[1] && e[0] >= prime[0] {
		*e = Element{e[0] - prime[0]}
	}
	return e
}

// IsZeroVartime reports whether e is 0 modulo p.
func (e *Element) IsZeroVartime() bool { return *e == Element{} || *e == prime }

// IsOdd is for reduced elements.
func (e *Element) IsOdd() bool { return e[0]&1 == 1 }

// SetBytesVartime reads 32 bytes, big-endian, and reports whether they are below p.
func (e *Element) SetBytesVartime(b []byte) bool {
	for i := range e {
		e[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	before := *e
	return *e.ReduceVartime() == before
}

// AppendBytes appends a reduced element, 32 bytes, big-endian.
func (e *Element) AppendBytes(dst []byte) []byte {
	for i := range e {
		dst = binary.BigEndian.AppendUint64(dst, e[3-i])
	}
	return dst
}
