package secp256k1

import (
	"encoding/binary"
	"math/bits"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// bucketMethod is Pippenger's algorithm for scalars given as limbs, variable
// time. Each scalar is cut into signed digits of w bits. For one digit
// position, every point is added to the bucket of its digit's absolute value
// (negated for a negative digit), and a running sum weighs the buckets. The
// positions join, highest first, by w doublings each. One position more than
// the scalars' bits fill takes the last carry: positions = bitLen/w + 1.
//
// It works on voi's points and their complete addition, because a conversion
// to a library with a faster multi-scalar multiplication costs an inversion a
// point and wins nothing: the additions are what is paid for, and they cost
// the same there.
func bucketMethod(limbs [][4]uint64, points []*Point, w, positions int) *Point {
	digits := signedDigits(limbs, w, positions)
	sum := secp.NewIdentityPoint()
	buckets := make([]bucket, 1<<(w-1))
	for pos := positions - 1; pos >= 0; pos-- {
		for range w {
			sum.Double(sum)
		}
		sum.Add(sum, bucketSum(buckets, digits[pos*len(points):][:len(points)], points))
	}
	return sum
}

// bucket collects the points of one digit. The first point is copied and an
// empty bucket passed over: a complete addition of the identity costs as much
// as any other.
type bucket struct {
	sum    Point
	filled bool
}

func (b *bucket) add(p *Point) {
	if b.filled {
		b.sum.Add(&b.sum, p)
		return
	}
	b.sum.Set(p)
	b.filled = true
}

// bucketSum gives the sum of digits[i]·points[i]; buckets is scratch space
// for the absolute values 1 to len(buckets) of a digit.
func bucketSum(buckets []bucket, digits []int16, points []*Point) *Point {
	for i := range buckets {
		buckets[i].filled = false
	}
	var negated Point
	for i, d := range digits {
		switch {
		case d > 0:
			buckets[d-1].add(points[i])
		case d < 0:
			buckets[-d-1].add(negated.Negate(points[i]))
		}
	}
	running, sum := secp.NewIdentityPoint(), secp.NewIdentityPoint()
	for i := len(buckets) - 1; i >= 0; i-- {
		if buckets[i].filled {
			running.Add(running, &buckets[i].sum)
		}
		sum.Add(sum, running)
	}
	return sum
}

// windowBits chooses the digit width with the fewest additions for n points
// and scalars of bitLen bits, and says how many those are, by and large.
func windowBits(n, bitLen int) (w, additions int) {
	for width := 3; width <= 13; width++ {
		// Each position: an addition a point, about one a bucket, and the
		// doublings, which cost three quarters of an addition.
		cost := (bitLen/width + 1) * (n + 1<<(width-1) + width*3/4 + 2)
		if w == 0 || cost < additions {
			w, additions = width, cost
		}
	}
	return w, additions
}

// scalarLimbs gives the scalars as little-endian 64-bit limbs, and the number
// of bits of the longest.
func scalarLimbs(scalars []*Scalar) (limbs [][4]uint64, bitLen int) {
	limbs = make([][4]uint64, len(scalars))
	for i, s := range scalars {
		b := s.Bytes()
		for j := range 4 {
			l := binary.BigEndian.Uint64(b[24-8*j:])
			limbs[i][j] = l
			if l != 0 {
				bitLen = max(bitLen, 64*j+bits.Len64(l))
			}
		}
	}
	return limbs, bitLen
}

// signedDigits recodes the scalars to digits in [-2^(w-1), 2^(w-1)], lowest
// position first: digits[pos*n+i] belongs to scalar i.
func signedDigits(limbs [][4]uint64, w, positions int) []int16 {
	n := len(limbs)
	digits := make([]int16, positions*n)
	mask, half := int(1)<<w-1, int(1)<<(w-1)
	for i := range limbs {
		carry := 0
		for pos := range positions {
			d := int(window(&limbs[i], pos*w))&mask + carry
			carry = 0
			if d > half {
				d -= 1 << w
				carry = 1
			}
			digits[pos*n+i] = int16(d)
		}
	}
	return digits
}

// window gives the 64 bits of l from bit position from on; zeros lie above.
func window(l *[4]uint64, from int) uint64 {
	i, shift := from/64, from%64
	if i > 3 {
		return 0
	}
	v := l[i] >> shift
	if shift != 0 && i < 3 {
		v |= l[i+1] << (64 - shift)
	}
	return v
}
