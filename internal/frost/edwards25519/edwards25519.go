// Package edwards25519 is the group of Ed25519 as the fleet uses it.
//
// The curve has cofactor 8: beside the prime-order group that the schemes are
// made for there are points of small and of mixed order, which get past a decoder
// that only checks the curve equation. Nothing
// leaves this package's decoders that is not in the prime-order group and
// distinct from the identity. There are two ways to ensure that:
//
//   - [DecodePoint] multiplies by the group order and compares (24 µs in all):
//     for stored commitments, and nonces of form 0, whose encoding is fixed;
//   - [DecodeDivided] reads a point divided by 8 and multiplies it by 8
//     (4 µs in all): three doublings send every point of the curve into
//     the prime-order group. Deals of the key generation use it, many at once
//     ([DecodeDividedAll]). Nonces do so by both coordinates ([Affine.SetCoordinates],
//     [MulByCofactor]).
//
// Both refuse non-canonical encodings, so that two byte strings never mean one
// point. Scalars and points multiply in constant time, except in functions
// with Vartime in their name, which take public data only.
package edwards25519

import (
	"errors"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Point is a point of the curve. Decoded points are of prime order.
type Point = curve.EdwardsPoint

// Scalar is an integer modulo the prime order, with constant time arithmetic.
type Scalar = scalar.Scalar

const (
	// PointSize is the length of an encoded point in bytes.
	PointSize = 32
	// ScalarSize is the length of an encoded scalar in bytes.
	ScalarSize = 32
)

// ErrPoint, ErrIdentity and ErrScalar mean that external bytes are no usable point
// or scalar.
var (
	ErrPoint = errors.New("not a canonical edwards25519 point of prime order: " +
		"want 32 bytes as in RFC 8032, not the identity")
	ErrIdentity = errors.New("edwards25519 point of small order: it becomes the identity")
	ErrScalar   = errors.New("not a canonical edwards25519 scalar: want 32 bytes, little-endian, below the group order")
)

// DecodePoint reads a point in the encoding of RFC 8032. It refuses another
// length than 32, non-canonical encodings, points off the curve, the identity
// and every point outside the prime-order group.
func DecodePoint(b []byte) (*Point, error) {
	p, err := decompress(b)
	if err != nil || p.IsIdentity() || !isTorsionFreeVartime(p) {
		return nil, ErrPoint
	}
	return p, nil
}

// isTorsionFreeVartime reports whether the order of the group times p is the
// identity. As a scalar that order is 0, so it is one less, and p added.
func isTorsionFreeVartime(p *Point) bool {
	q := curve.NewEdwardsPoint().DoubleScalarMulBasepointVartime(minusOne, p, scalar.New())
	return q.Add(q, p).IsIdentity()
}

var minusOne = scalar.New().Neg(scalar.NewFromUint64(1))

// DecodeTrusted reads a point that is known to be of prime order: it skips that
// check, which is nine tenths of the cost.
func DecodeTrusted(b []byte) (*Point, error) {
	p, err := decompress(b)
	if err != nil || p.IsIdentity() {
		return nil, ErrPoint
	}
	return p, nil
}

// DecodeDivided reads the encoding of some D and returns 8·D, which is of prime
// order whatever D was. It refuses what is not a canonical encoding of a point
// of the curve ([ErrPoint]), and a D of small order, as that becomes the
// identity ([ErrIdentity]).
func DecodeDivided(b []byte) (*Point, error) {
	p, err := decompress(b)
	if err != nil {
		return nil, ErrPoint
	}
	p.MulByCofactor(p)
	if p.IsIdentity() {
		return nil, ErrIdentity
	}
	return p, nil
}

// BaseMult returns s·G in constant time.
func BaseMult(s *Scalar) *Point {
	return curve.NewEdwardsPoint().MulBasepoint(curve.ED25519_BASEPOINT_TABLE, s)
}

// Encode returns the encoding of RFC 8032, in constant time.
func Encode(p *Point) [PointSize]byte {
	var c curve.CompressedEdwardsY
	return [PointSize]byte(*c.SetEdwardsPoint(p))
}

// EncodeScalar returns the canonical encoding.
func EncodeScalar(s *Scalar) (b [ScalarSize]byte) {
	if err := s.ToBytes(b[:]); err != nil {
		panic("edwards25519: " + err.Error()) // of the length alone
	}
	return b
}

// DecodeScalar reads a canonical scalar: 32 bytes, little-endian, below the
// group order.
func DecodeScalar(b []byte) (*Scalar, error) {
	s, err := scalar.NewFromCanonicalBytes(b)
	if err != nil {
		return nil, ErrScalar
	}
	return s, nil
}

var inverseOfEight = scalar.New().Invert(scalar.NewFromUint64(8))

// decompress reads a canonical encoding of any point of the curve.
func decompress(b []byte) (*Point, error) {
	c, err := curve.NewCompressedEdwardsYFromBytes(b)
	if err != nil || !c.IsCanonicalVartime() {
		return nil, ErrPoint
	}
	p, err := curve.NewEdwardsPoint().SetCompressedY(c)
	if err != nil {
		return nil, ErrPoint
	}
	return p, nil
}
