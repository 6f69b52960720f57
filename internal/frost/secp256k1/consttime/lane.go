package consttime

import (
	"encoding/binary"
	"math/bits"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
)

// All of this file handles secrets. It has no branches but loops over lanes, rows and limbs,
// and no index but their counters; so has what it calls of package field. A test holds it to that.

// lane is one multiplication of a batch.
type lane struct {
	digits  [5]uint64     // see recode
	negated uint64        // all bits, if what is multiplied is the scalar's negative
	missed  uint64        // all bits, if an addition was none of two points with different x
	x, y    field.Element // the sum so far
	p, q    field.Element // x and y of the point to add; then scratch space
	den     field.Element // what x of that point is more; then scratch space
	before  field.Element // product of that of all lanes before; then the slope
}

// order is the order of the group.
var order = [4]uint64{0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff}

// recode finds the digits of the scalar k, or of the order less k if k is even: of an odd
// number. With (k-1)/2 + 2^257 written as the sum of u[i]·64^i for 43 numbers u[i] below 64, k is
// the sum of (2u[i]-63)·64^i. So there is nothing to carry, no digit is 0, and all are odd. The
// last is one of 1, 3, ... 15, as k has 256 bits.
func (l *lane) recode(s *Scalar) {
	b := (*[32]byte)(s.Bytes())
	k := [4]uint64{
		binary.BigEndian.Uint64(b[24:]), binary.BigEndian.Uint64(b[16:]),
		binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[:]),
	}
	clear(b[:])
	var n [4]uint64
	var c uint64
	for i := range n {
		n[i], c = bits.Sub64(order[i], k[i], c)
	}
	l.negated = k[0]&1 - 1
	for i := range k {
		k[i] ^= (k[i] ^ n[i]) & l.negated
	}
	l.digits[0] = k[0]>>1 | k[1]<<63
	l.digits[1] = k[1]>>1 | k[2]<<63
	l.digits[2] = k[2]>>1 | k[3]<<63
	l.digits[3] = k[3] >> 1
	l.digits[4] = 1 << (257 - 256)
	l.missed = 0
	clear(k[:])
	clear(n[:])
}

// pick sets (p, q) to the point of the row that the digit at the position says, which is an entry
// or the negative of one. It reads the whole row.
func (l *lane) pick(row []entry, pos int) {
	at := pos * digitBits
	u := (l.digits[at/64]>>(at%64) | l.digits[at/64+1]<<1<<(63-at%64)) & (1<<digitBits - 1)
	// The digit 2u-63 is negative if the highest bit of u is 0, and then the other bits are
	// those of half its magnitude inverted.
	negative := u>>(digitBits-1) - 1
	index := (u ^ negative) & (entries - 1)
	var x0, x1, x2, x3 uint64
	for j := range row {
		x := &row[j].x
		hit := uint64(int64((uint64(j)^index)-1) >> 63) // all bits, if j is the index
		x0 |= x[0] & hit
		x1 |= x[1] & hit
		x2 |= x[2] & hit
		x3 |= x[3] & hit
	}
	l.p = field.Element{x0, x1, x2, x3}
	var y0, y1, y2, y3 uint64
	for j := range row {
		y := &row[j].y
		hit := uint64(int64((uint64(j)^index)-1) >> 63)
		y0 |= y[0] & hit
		y1 |= y[1] & hit
		y2 |= y[2] & hit
		y3 |= y[3] & hit
	}
	l.q = field.Element{y0, y1, y2, y3}
	l.q.NegateIf(&l.q, negative)
}

// begin sets the sums to the points of the first row.
func begin(lanes []lane, row []entry) {
	for i := range lanes {
		l := &lanes[i]
		l.pick(row, 0)
		l.x.Set(&l.p)
		l.y.Set(&l.q)
	}
}

// choose picks the points to add to the sums, and returns the product of the denominators. One
// that is 0 would take all lanes with it, and becomes 1; its lane is a missed one.
func choose(lanes []lane, row []entry, pos int) field.Element {
	product := field.Element{1}
	for i := range lanes {
		l := &lanes[i]
		l.pick(row, pos)
		zero := l.den.Sub(&l.p, &l.x).ZeroMask()
		l.den.OneIf(zero)
		l.missed |= zero
		l.before.Set(&product)
		product.Mul(&product, &l.den)
	}
	return product
}

// together is how many lanes are added to step by step, so that no step waits for the one
// before.
const together = 8

// add adds the chosen points to the last lanes that were not added to yet, with the inverse of
// the product of the denominators up to theirs, and leaves that of the lanes before. It is the
// chord rule: with the slope m = (q-y)/(p-x) the sum has the x m²-x-p and the y m·(x-that)-y.
func add(lanes []lane, inverse *field.Element) {
	for i := range lanes {
		l := &lanes[len(lanes)-1-i]
		l.before.Mul(inverse, &l.before)
		inverse.Mul(inverse, &l.den)
		l.q.Sub(&l.q, &l.y)
	}
	for i := range lanes {
		l := &lanes[i]
		l.before.Mul(&l.before, &l.q)
	}
	for i := range lanes {
		l := &lanes[i]
		l.den.Square(&l.before)
	}
	for i := range lanes {
		l := &lanes[i]
		l.p.Add(&l.p, &l.x)
		l.den.Sub(&l.den, &l.p)
		l.q.Sub(&l.x, &l.den)
		l.x.Set(&l.den)
	}
	for i := range lanes {
		l := &lanes[i]
		l.q.Mul(&l.q, &l.before)
	}
	for i := range lanes {
		l := &lanes[i]
		l.y.Sub(&l.q, &l.y)
	}
}

// finish makes the sum the scalar's multiple, in reduced coordinates.
func (l *lane) finish() {
	l.x.Reduce()
	l.y.Reduce()
	l.y.NegateIf(&l.y, l.negated)
}
