package edwards25519

import (
	"filippo.io/edwards25519/field"
)

// root is an encoded point on its way to x = ±√(u/v): x² = (y² - 1) / (dy² + 1). Public data.
type root struct {
	y, u, uv3 field.Element
	v         field.Element
	sign      int
}

// begin reads an encoding, sets power to what is to be raised to (p-5)/8, uv⁷, and reports
// whether the encoding is one of 32 bytes with a canonical y.
func (r *root) begin(b []byte, power *field.Element) bool {
	if len(b) != PointSize {
		return false
	}
	y := [PointSize]byte(b)
	r.sign = int(y[31] >> 7)
	y[31] &= 0x7f
	if !setCanonical(&r.y, y[:]) {
		return false
	}
	var yy, v2 field.Element
	yy.Square(&r.y)
	r.v.Add(r.v.Multiply(&yy, &d), &one)
	r.u.Subtract(&yy, &one)
	v2.Square(&r.v)
	r.uv3.Multiply(r.uv3.Multiply(&r.u, &r.v), &v2)
	power.Multiply(power.Square(&v2), &r.uv3)
	return true
}

// finish sets p to the point, given the power, and reports whether there is one. Of a square u/v
// the root is uv³·(uv⁷)^((p-5)/8) or that times √-1: RFC 8032, section 5.1.3. A sign goes with no
// x of 0.
func (r *root) finish(p *Affine, power *field.Element) bool {
	var x, check, minusU field.Element
	x.Multiply(&r.uv3, power)
	check.Multiply(check.Square(&x), &r.v)
	if check.Equal(&r.u) == 0 {
		if check.Equal(minusU.Negate(&r.u)) == 0 {
			return false
		}
		x.Multiply(&x, &rootOfMinusOne)
	}
	if x.IsNegative() != r.sign {
		if x.Equal(new(field.Element)) == 1 {
			return false
		}
		x.Negate(&x)
	}
	p.x, p.y = x, r.y
	return true
}

var rootOfMinusOne = func() (e field.Element) {
	var minusOne field.Element
	e.SqrtRatio(minusOne.Negate(&one), &one)
	return e
}()

// DecodeAffines is [DecodeAffine] of as many canonical encodings as points, 32 bytes each, one after
// the other, and returns the place of the first that is none, or -1; points from there on are
// undefined. The order is not looked at. Public data: variable time.
func DecodeAffines(points []Affine, encoded []byte) (refused int) {
	if len(encoded) != len(points)*PointSize {
		panic("edwards25519: as many encodings as points are needed")
	}
	return decodeAffines(points, encoded)
}

// decodeEach is [DecodeAffines], one after the other.
func decodeEach(points []Affine, encoded []byte) (refused int) {
	for i := range points {
		if !points[i].decode(encoded[i*PointSize:][:PointSize]) {
			return i
		}
	}
	return -1
}

// DecodeDividedAll is [DecodeDivided] of as many encodings as points, 32 bytes each, one after the
// other. It returns the place of the first that is refused and why, or -1.
func DecodeDividedAll(points []Point, encoded []byte) (refused int, err error) {
	affine := make([]Affine, len(points))
	bad := DecodeAffines(affine, encoded)
	if bad >= 0 {
		affine, err = affine[:bad], ErrPoint
	}
	multiplied := seesCoordinates() &&
		multiplyByEightTogether(func(i int) *extended { return coordinates(&points[i]) }, affine)
	for i := range affine {
		if !multiplied {
			SetAffine(&points[i], &affine[i])
			points[i].MulByCofactor(&points[i])
		}
		if IsIdentity(&points[i]) {
			return i, ErrIdentity
		}
	}
	return bad, err
}

// DecodeTrustedAll is [DecodeTrusted] of as many encodings as points, 32 bytes each, one after the
// other. It returns the place of the first that is refused, or -1.
func DecodeTrustedAll(points []Point, encoded []byte) (refused int) {
	affine := make([]Affine, len(points))
	bad := DecodeAffines(affine, encoded)
	if bad >= 0 {
		affine = affine[:bad]
	}
	for i := range affine {
		if affine[i].IsIdentity() {
			return i
		}
		SetAffine(&points[i], &affine[i])
	}
	return bad
}
