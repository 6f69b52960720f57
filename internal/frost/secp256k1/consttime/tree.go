package consttime

import (
	"encoding/binary"
	"math/bits"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
)

// The same in lanes of eight scalars, where the processor has instructions for that. All digits'
// points are picked first and added in pairs, then the sums in pairs: so five inversions do, for
// all scalars of a batch, and few scalars have many denominators, too.
//
// All of this file handles secrets, as lane.go does, and is held to the same.

// eight is a point in each lane.
type eight struct{ x, y field.Lanes }

// groups bounds the scratch space: with more groups of eight scalars than these it would leave
// the processor's second cache.
const groups = 16

// scratch is what the multiplications of so many scalars take. It is wiped after each use.
type scratch struct {
	digits  [groups][wideDigits][field.LaneCount]uint8 // see recode
	negated [groups * field.LaneCount]uint64           // as in lane
	sums    [wideDigits * groups]eight
	before  [wideDigits*groups/2 + 1]field.Lanes // products of the denominators before
	alone   [field.LaneCount]field.Element       // the same of one lane
	below   [field.LaneCount]field.Element       // products of those of the lanes before
	missed  uint64                               // all bits, if a denominator was 0
}

// wipe clears what so many groups have used.
func (s *scratch) wipe(groups int) {
	clear(s.digits[:groups])
	clear(s.negated[:])
	clear(s.sums[:wideDigits*groups])
	clear(s.before[:wideDigits*groups/2+1])
	clear(s.alone[:])
	clear(s.below[:])
	s.missed = 0
	field.WipeRegisters()
}

// recode finds the digits of the scalar at this place: those of the odd one of k and n - k. With
// (k-1)/2 + 2^255 written as the sum of u[i]·256^i, which are its bytes, k is the sum of
// (2u[i]-255)·256^i. No digit is 0, all are odd, and the last is above 0.
func (s *scratch) recode(at int, k *Scalar) {
	b := (*[32]byte)(k.Bytes())
	v := [4]uint64{
		binary.BigEndian.Uint64(b[24:]), binary.BigEndian.Uint64(b[16:]),
		binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[:]),
	}
	clear(b[:])
	var n [4]uint64
	var c uint64
	for i := range n {
		n[i], c = bits.Sub64(order[i], v[i], c)
	}
	negated := v[0]&1 - 1
	for i := range v {
		v[i] ^= (v[i] ^ n[i]) & negated
	}
	s.negated[at] = negated
	v[0] = v[0]>>1 | v[1]<<63
	v[1] = v[1]>>1 | v[2]<<63
	v[2] = v[2]>>1 | v[3]<<63
	v[3] = v[3]>>1 | 1<<63
	to := &s.digits[at/field.LaneCount]
	for i := range to {
		to[i][at%field.LaneCount] = uint8(v[i/8] >> (i % 8 * wideBits))
	}
	clear(v[:])
	clear(n[:])
}

// pickEach sets the lanes of a sum to the points of the row that these digits say, which are
// entries or negatives of them. It reads all of the row.
func (p *eight) pickEach(row *wideRow, digits *[field.LaneCount]uint8) {
	var negative field.Lanes
	for i := range digits {
		// The digit 2u-255 is negative if the highest bit of u is 0, and then the other bits are
		// those of half its magnitude inverted.
		u := uint64(digits[i])
		minus := u>>(wideBits-1) - 1
		index := (u ^ minus) & (wideEntries - 1)
		for limb := range 5 {
			var x, y uint64
			for j := range wideEntries {
				hit := uint64(int64((uint64(j)^index)-1) >> 63) // all bits, if j is the index
				x |= row.x[limb][j] & hit
				y |= row.y[limb][j] & hit
			}
			p.x[limb][i], p.y[limb][i] = x, y
			negative[limb][i] = minus
		}
	}
	var y field.Lanes
	y.Negate(&p.y)
	for limb := range 5 {
		for i := range digits {
			p.y[limb][i] ^= (p.y[limb][i] ^ y[limb][i]) & negative[limb][i]
		}
	}
	clear(negative[:])
	clear(y[:])
}

// places are where the points of each digit are: its number with its bits in reverse, so that the
// sums of neighbours, and of neighbours of these, are in the first half of what was added.
var places = func() (p [wideDigits]int) {
	for pos := range p {
		p[pos] = int(bits.Reverse8(uint8(pos)) >> 3)
	}
	return p
}()

// pickAll sets the sums of so many groups to their digits' points.
func (s *scratch) pickAll(table *[wideDigits]wideRow, groups int) {
	for pos := range table {
		at := places[pos] * groups
		to := s.sums[at:]
		for i := range groups {
			to[i].pick(&table[pos], &s.digits[i][pos])
		}
	}
}

// add adds the second half of the sums to the first.
func (s *scratch) add(sums []eight) {
	half := len(sums) / 2
	to, from := sums[:half], sums[half:]
	s.before[0].Broadcast(&field.Element{1})
	for i := range to {
		p, q := &to[i], &from[i]
		q.x.Sub(&q.x, &p.x)
		s.before[i+1].Mul(&s.before[i], &q.x)
	}
	inverse := &s.before[half]
	s.invert(inverse)
	for i := range to {
		at := half - 1 - i
		to[at].add(&from[at], &s.before[at], inverse)
	}
}

// invert inverts all lanes of the product of denominators, with one inversion.
func (s *scratch) invert(l *field.Lanes) {
	alone, below := &s.alone, &s.below
	product := field.Element{1}
	for i := range alone {
		l.Get(i, &alone[i])
		below[i].Set(&product)
		product.Mul(&product, &alone[i])
	}
	s.missed |= product.ZeroMask()
	product.Invert(&product)
	for i := range alone {
		at := field.LaneCount - 1 - i
		below[at].Mul(&below[at], &product)
		product.Mul(&product, &alone[at])
		l.Set(at, &below[at])
	}
}

// add sets p = p + q, by the chord rule: see add of lanes. q.x is what x of q is more, before the
// product of that of all sums before, and inverse the inverse of the product of all up to this one, of
// which it becomes that of those before.
func (p *eight) add(q *eight, before, inverse *field.Lanes) {
	before.Mul(before, inverse)
	inverse.Mul(inverse, &q.x)
	q.y.Sub(&q.y, &p.y)
	before.Mul(before, &q.y) // the slope
	q.y.Square(before)
	q.x.Add(&q.x, &p.x)
	q.x.Add(&q.x, &p.x)
	q.x.Sub(&q.y, &q.x) // x of the sum
	q.y.Sub(&p.x, &q.x)
	q.y.Mul(&q.y, before)
	p.y.Sub(&q.y, &p.y)
	p.x = q.x
}

// finish returns the multiple of the scalar at this place, in reduced coordinates.
func (s *scratch) finish(at int) (x, y field.Element) {
	p := &s.sums[at/field.LaneCount]
	p.x.Get(at%field.LaneCount, &x)
	p.y.Get(at%field.LaneCount, &y)
	y.NegateIf(&y, s.negated[at])
	return x, y
}
