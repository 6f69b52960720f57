package edwards25519

import (
	"bytes"

	"filippo.io/edwards25519/field"
)

// CoordinatesSize is the length of a point's two coordinates in bytes.
const CoordinatesSize = 64

// SetCoordinates reads x and y, 32 bytes each, little-endian, and reports whether they
// are canonical and those of a point of the curve, whatever its order. Unlike an encoded
// point that takes no square root. Public data: variable time.
func (p *Affine) SetCoordinates(b []byte) bool {
	return len(b) == CoordinatesSize && setCanonical(&p.x, b[:32]) && setCanonical(&p.y, b[32:]) && p.isOnCurve()
}

// AppendCoordinates appends what [Affine.SetCoordinates] reads.
func (p *Affine) AppendCoordinates(dst []byte) []byte {
	return append(append(dst, p.x.Bytes()...), p.y.Bytes()...)
}

// setCanonical reads an element of the field, of 32 bytes.
func setCanonical(e *field.Element, b []byte) bool {
	_, err := e.SetBytes(b)
	return err == nil && bytes.Equal(e.Bytes(), b)
}

// isOnCurve looks at the curve's equation, twice: 2(y² - x² - 1) = 2dx²y².
func (p *Affine) isOnCurve() bool {
	var xx, yy, left, right field.Element
	xx.Square(&p.x)
	yy.Square(&p.y)
	left.Subtract(left.Subtract(&yy, &xx), &one)
	right.Multiply(right.Multiply(&xx, &yy), &twoD)
	return left.Add(&left, &left).Equal(&right) == 1
}

// SetBytes reads a point in the encoding of RFC 8032, and reports whether it is canonical,
// of a point of the curve and not the identity. The order is not looked at: for points
// that are known to be of prime order. Public data: variable time.
func (p *Affine) SetBytes(b []byte) bool { return p.decode(b) && !p.IsIdentity() }

func (p *Affine) decode(b []byte) bool {
	var r root
	var power field.Element
	return r.begin(b, &power) && r.finish(p, power.Pow22523(&power))
}

// Equal reports whether p and q are one point. Variable time.
func (p *Affine) Equal(q *Affine) bool { return p.x.Equal(&q.x) == 1 && p.y.Equal(&q.y) == 1 }

var one = *new(field.Element).One()

// SumsVartime sets out[i] to the sum of the i-th of as many equal parts of points. Many
// sums share an inversion. Public data only.
func SumsVartime(out, points []Affine) {
	n := len(points) / max(len(out), 1)
	sums := make([]extended, len(out))
	for i := range out {
		sums[i] = identity()
		for j := range n {
			q := points[i*n+j].cache()
			sums[i].add(&q, 0)
		}
	}
	affine(out, sums)
}

// MulByCofactor multiplies each point by 8, which makes the identity or a point of prime
// order of whatever it was. Many share an inversion. Public data: variable time.
func MulByCofactor(points []Affine) {
	products := make([]extended, len(points))
	if !multiplyByEightTogether(func(i int) *extended { return &products[i] }, points) {
		multiplyByEightEach(products, points)
	}
	affine(points, products)
}

func multiplyByEightEach(products []extended, points []Affine) {
	for i := range points {
		products[i] = points[i].extend()
		for range 3 {
			products[i].double(false)
		}
	}
}

// DivideByCofactor sets s = s/8, so that 8 times s·G is what s·G was. Constant time.
func DivideByCofactor(s *Scalar) { s.Mul(s, inverseOfEight) }
