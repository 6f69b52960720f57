// Package vartime is secp256k1 for public data: commitments, public nonces,
// public keys, signatures to verify. All of it is variable time, and no secret
// comes here; secrets stay with secp256k1-voi, in constant time.
//
// A [Point] is affine and costs an inversion to make; sums are [Jacobian] until
// [Affine] brings many of them back with one. The rest is the usual: scalars
// split by the curve's endomorphism, digits that are mostly zero, a table of
// multiples of G, and for many points Pippenger's buckets, whose additions
// are affine and share their inversions.
//
// Its tests compare every function with math/big or with secp256k1-voi.
package vartime

import (
	"errors"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// Scalar is secp256k1-voi's. Its arithmetic is constant time; that of this
// package is not.
type Scalar = secp.Scalar

// PointSize is the length of a wire point in bytes: x || y, big-endian, both
// canonical. That is twice the length of a compressed point, and no square root
// for the receiver. The identity has no encoding.
const PointSize = 64

// ErrPoint means that external bytes are no wire point.
var ErrPoint = errors.New("not a canonical secp256k1 point: want 64 bytes x || y on the curve")

// Point is a point in affine coordinates, each reduced. Points compare with ==.
// The zero value, which is not on the curve, represents the identity.
type Point struct{ x, y element }

// element is one coordinate.
type element = field.Element

// one is its 1.
var one = element{1}

// seven is the curve's b: y² = x³ + 7.
var seven = element{7}

// beta is a cube root of 1 in the field; (beta·x, y) is lambda·(x, y), where
// lambda is a cube root of 1 modulo the group's order.
var beta = element{0xc1396c28719501ee, 0x9cf0497512f58995, 0x6e64479eac3434e9, 0x7ae96a2b657c0710}

// Generator returns G.
func Generator() Point { return generator }

var generator = FromPoint(secp.NewGeneratorPoint())

// FromPoint returns p, whose encoding, if not p itself, is public from here on.
// It brings p to affine coordinates in constant time, so that nothing remains
// of projective ones that came from a secret scalar.
func FromPoint(p *secp.Point) Point {
	b := p.UncompressedBytes()
	var q Point
	if len(b) == 1 {
		return q
	}
	q.x.SetBytesVartime(b[1:33])
	q.y.SetBytesVartime(b[33:])
	return q
}

// PointOf returns the point with reduced coordinates that are known to be on the curve, and public.
func PointOf(x, y *field.Element) Point { return Point{*x, *y} }

// Coordinates returns x and y, reduced, or zeros for the identity.
func (p *Point) Coordinates() (x, y field.Element) { return p.x, p.y }

// Decode reads a wire point. It refuses another length than 64, a coordinate
// that is not below the field prime and a point off the curve.
func Decode(b []byte) (p Point, ok bool) {
	if len(b) != PointSize || !p.x.SetBytesVartime(b[:32]) || !p.y.SetBytesVartime(b[32:]) {
		return Point{}, false
	}
	var yy, rest element
	if !rest.Sub(yy.Square(&p.y), rightSide(&p.x)).IsZeroVartime() {
		return Point{}, false
	}
	return p, true
}

// DecodeAll reads concatenated wire points. One bad point refuses them all.
func DecodeAll(b []byte) ([]Point, bool) {
	if len(b)%PointSize != 0 {
		return nil, false
	}
	points := make([]Point, len(b)/PointSize)
	if DecodeInto(points, b) >= 0 {
		return nil, false
	}
	return points, true
}

// DecodeInto reads as many concatenated wire points as there are points. It returns the place of the
// first that [Decode] refuses, after which the points are good for nothing, and -1 if there is none.
// It panics if the lengths do not fit.
func DecodeInto(points []Point, b []byte) (refused int) {
	if len(b) != len(points)*PointSize {
		panic("vartime: 64 bytes for each point are needed")
	}
	read := 0
	if fastLanes {
		read = decodeInLanes(points, b)
	}
	for i := read; i < len(points); i++ {
		var ok bool
		if points[i], ok = Decode(b[i*PointSize:][:PointSize]); !ok {
			return i
		}
	}
	return -1
}

// rightSide returns x³ + 7.
func rightSide(x *element) *element {
	r := new(element).Square(x)
	return r.Add(r.Mul(r, x), &seven)
}

// LiftX returns the point with this x-coordinate and a y that is odd or even as
// asked, if there is one and the coordinate is canonical. BIP 340, lift_x.
func LiftX(x *[32]byte, odd bool) (p Point, ok bool) {
	if !p.x.SetBytesVartime(x[:]) || !p.y.SqrtVartime(rightSide(&p.x)) {
		return Point{}, false
	}
	if p.y.ReduceVartime().IsOdd() != odd {
		p.y.Negate(&p.y).ReduceVartime()
	}
	return p, true
}

// IsIdentity reports whether p is the identity: no point of the curve has a y of 0.
func (p *Point) IsIdentity() bool { return p.y == element{} }

// Negate returns -p.
func (p *Point) Negate() Point {
	q := *p
	q.y.Negate(&p.y).ReduceVartime()
	return q
}

// NegateIf returns -p if the condition holds and p if not.
func (p *Point) NegateIf(condition bool) Point {
	if condition {
		return p.Negate()
	}
	return *p
}

// YIsOdd reports whether y is odd.
func (p *Point) YIsOdd() bool { return p.y.IsOdd() }

// X returns the x-coordinate.
func (p *Point) X() (x [32]byte) {
	p.x.AppendBytes(x[:0])
	return x
}

// AppendWire appends the wire encoding. It panics on the identity, which has
// none.
func (p *Point) AppendWire(dst []byte) []byte {
	if p.IsIdentity() {
		panic("vartime: the identity has no wire encoding")
	}
	return p.y.AppendBytes(p.x.AppendBytes(dst))
}

// AppendCompressed appends the encoding of 33 bytes. It panics on the identity.
func (p *Point) AppendCompressed(dst []byte) []byte {
	if p.IsIdentity() {
		panic("vartime: the identity has no compressed encoding")
	}
	return p.x.AppendBytes(append(dst, 2|byte(p.y[0]&1)))
}

// AddAll adds to each point of sums the one at the same place of points. All
// of them share one inversion. It panics if the lengths differ.
func AddAll(sums, points []Point) {
	if len(sums) != len(points) {
		panic("vartime: as many sums as points are needed")
	}
	if fastLanes {
		a := newAdditions()
		defer a.release()
		a.between(sums, points, sums)
		for i := range sums {
			a.add(place(i), place(i), i)
		}
		a.flush()
		return
	}
	const block = 512
	var dens, scratch [block]element
	for len(sums) > 0 {
		n := min(block, len(sums))
		addBlock(sums[:n], sums[:n], points[:n], dens[:n], scratch[:n])
		sums, points = sums[n:], points[n:]
	}
}

// addBlock sets sums[i] = a[i] + b[i]. sums may be a or b.
func addBlock(sums, a, b []Point, dens, scratch []element) {
	for i := range sums {
		denominator(&dens[i], &a[i], &b[i])
	}
	field.InvertAll(dens, scratch)
	for i := range sums {
		addWith(&sums[i], &a[i], &b[i], &dens[i])
	}
}

// denominator sets d to that of the slope of the line through two points: x2-x1, or 2y where
// they are equal. Where there is no slope it is 1.
func denominator(d *element, p, q *Point) {
	d.Sub(&q.x, &p.x)
	if p.IsIdentity() || q.IsIdentity() {
		*d = one
	} else if d.IsZeroVartime() {
		if p.y == q.y {
			d.Add(&p.y, &p.y)
		} else {
			*d = one
		}
	}
}

// addWith sets sum = p + q, given the inverse of their denominator, by the chord and tangent
// rule: with the slope m = (y2-y1)/(x2-x1), or 3x²/2y where the points are equal,
// x3 = m² - x1 - x2 and y3 = m·(x1-x3) - y1.
func addWith(sum, p, q *Point, inverse *element) {
	var m element
	switch {
	case p.IsIdentity():
		*sum = *q
		return
	case q.IsIdentity():
		*sum = *p
		return
	case p.x != q.x:
		m.Sub(&q.y, &p.y)
	case p.y == q.y:
		var xx element
		xx.Square(&p.x)
		m.Add(m.Add(&xx, &xx), &xx)
	default:
		*sum = Point{}
		return
	}
	m.Mul(&m, inverse)
	var x3, y3 element
	x3.Sub(x3.Sub(x3.Square(&m), &p.x), &q.x)
	y3.Sub(y3.Mul(&m, y3.Sub(&p.x, &x3)), &p.y)
	*sum = Point{*x3.ReduceVartime(), *y3.ReduceVartime()}
}
