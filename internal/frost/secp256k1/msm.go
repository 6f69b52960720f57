package secp256k1

import (
	"math/bits"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// MultiScalarMultVartime gives the sum of scalars[i]·points[i]. Public data
// only. Few points go to voi's interleaved tables, many to Pippenger's bucket
// method, which takes advantage of short scalars: half the bits cost half the
// time. It panics if the lengths differ.
func MultiScalarMultVartime(scalars []*Scalar, points []*Point) *Point {
	if len(scalars) != len(points) {
		panic("secp256k1: as many scalars as points are needed")
	}
	limbs, bitLen := scalarLimbs(scalars)
	// voi pays 15 additions for the table of a point, one for each of its
	// digits that isn't zero (15 of 16 in every 4 bits), and 252 doublings
	// in all, which cost three quarters of an addition.
	interleaved := len(points)*(15+bitLen*15/64) + 190
	w, additions := windowBits(len(points), bitLen)
	if interleaved <= additions || len(points) <= 1 {
		return secp.NewIdentityPoint().MultiScalarMultVartime(scalars, points)
	}
	return bucketMethod(limbs, points, w, bitLen/w+1)
}

// EvaluateAt evaluates the polynomial in the exponent whose coefficients are
// the commitments, constant term first, at x: the sum of x^c·commitments[c].
// Horner's rule with a double-and-add by the few bits of x, so it is variable
// time in x and the points; both are public. No commitments give the identity.
func EvaluateAt(commitments []*Point, x uint32) *Point {
	sum := secp.NewIdentityPoint()
	for c := len(commitments) - 1; c >= 0; c-- {
		sum = multSmallVartime(sum, x)
		sum.Add(sum, commitments[c])
	}
	return sum
}

// multSmallVartime gives x·p.
func multSmallVartime(p *Point, x uint32) *Point {
	product := secp.NewIdentityPoint()
	for i := bits.Len32(x) - 1; i >= 0; i-- {
		product.Double(product)
		if x>>i&1 == 1 {
			product.Add(product, p)
		}
	}
	return product
}
