package edwards25519

import (
	"math/bits"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// MultiScalarMultVartime returns the sum of scalars[i]·points[i]. Public data
// only. It panics if the lengths differ.
func MultiScalarMultVartime(scalars []*Scalar, points []*Point) *Point {
	if sum, ok := multiScalarMultTogether(scalars, points); ok {
		return sum
	}
	return curve.NewEdwardsPoint().MultiscalarMulVartime(scalars, points)
}

// MultiScalarMultsVartime sets out[i] to the sum of the i-th of as many equal parts of the products
// scalars[i]·points[i]. Public data only. It panics if the lengths do not fit.
func MultiScalarMultsVartime(out []Point, scalars []Scalar, points []Affine) {
	terms := len(points) / max(len(out), 1)
	if len(scalars) != len(points) || terms*len(out) != len(points) {
		panic("edwards25519: as many scalars as points are needed, and as many of each sum")
	}
	if multiScalarMultsTogether(out, scalars, points) {
		return
	}
	factors, values := make([]*Scalar, terms), make([]Point, terms)
	of := make([]*Point, terms)
	for i := range out {
		for j := range of {
			factors[j], of[j] = &scalars[i*terms+j], &values[j]
			SetAffine(of[j], &points[i*terms+j])
		}
		out[i].MultiscalarMulVartime(factors, of)
	}
}

// EvaluateAt evaluates the polynomial in the exponent whose coefficients are
// the commitments, constant term first, at x: the sum of x^c·commitments[c].
// Horner's rule with a double-and-add by the few bits of x, so it is variable
// time in x and the points; both are public. Without commitments the result is the identity.
func EvaluateAt(commitments []*Point, x uint32) *Point {
	sum := curve.NewEdwardsPoint()
	for c := len(commitments) - 1; c >= 0; c-- {
		sum = multSmallVartime(sum, x)
		sum.Add(sum, commitments[c])
	}
	return sum
}

// multSmallVartime returns x·p.
func multSmallVartime(p *Point, x uint32) *Point {
	product := curve.NewEdwardsPoint()
	for i := bits.Len32(x) - 1; i >= 0; i-- {
		product.Add(product, product)
		if x>>i&1 == 1 {
			product.Add(product, p)
		}
	}
	return product
}
