// Package secp256k1 is the group of BIP 340 as the fleet uses it: a constant
// time half for secrets and a variable time half for public data.
//
// Secrets live in [Scalar] and become points through voi's ScalarBaseMult and
// ScalarMult, which are constant time. What everyone may see (commitments of
// all dealers, signatures to verify) may go through functions with Vartime in
// their name.
//
// On the wire a point is 64 bytes x || y, big-endian, both canonical: twice
// the length of a compressed point, and no square root for the receiver. The
// identity has no encoding. A scalar is 32 bytes, big-endian, canonical.
package secp256k1

import (
	"errors"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// Point is a point of the curve or the identity; complete, constant time
// arithmetic. Its zero value is only good as a receiver.
type Point = secp.Point

// Scalar is an integer modulo the group's order, with constant time
// arithmetic. Its zero value is zero.
type Scalar = secp.Scalar

const (
	// PointSize is the length of a point on the wire in bytes.
	PointSize = 64
	// ScalarSize is the length of an encoded scalar in bytes.
	ScalarSize = 32
)

// ErrPoint and ErrScalar say that bytes from outside are no point or scalar.
var (
	ErrPoint  = errors.New("not a canonical secp256k1 point: want 64 bytes x || y on the curve")
	ErrScalar = errors.New("not a canonical secp256k1 scalar: want 32 bytes below the group order")
)

// DecodePoint reads a wire point. It refuses another length than 64, a
// coordinate that is not below the field prime and a point off the curve, so
// the result is never the identity; the group has no other subgroup.
func DecodePoint(b []byte) (*Point, error) {
	if len(b) != PointSize {
		return nil, ErrPoint
	}
	p, err := secp.NewPointFromCoords((*[32]byte)(b[:32]), (*[32]byte)(b[32:]))
	if err != nil {
		return nil, ErrPoint
	}
	return p, nil
}

// DecodePoints reads wire points that stand one after the other. One bad
// point refuses them all.
func DecodePoints(b []byte) ([]*Point, error) {
	if len(b)%PointSize != 0 {
		return nil, ErrPoint
	}
	points := make([]*Point, len(b)/PointSize)
	for i := range points {
		p, err := DecodePoint(b[i*PointSize:][:PointSize])
		if err != nil {
			return nil, err
		}
		points[i] = p
	}
	return points, nil
}

// EncodePoints appends the wire encoding of each point to dst. It is constant
// time: the points may come fresh from secret scalars, whose projective
// coordinates say more than the points do, and so each pays its own constant
// time inversion. It panics on the identity, which has no encoding; a caller
// whose points come from others checks first.
func EncodePoints(dst []byte, points []*Point) []byte {
	for _, p := range points {
		b := p.UncompressedBytes()
		if len(b) != 1+PointSize {
			panic("secp256k1: the identity has no wire encoding")
		}
		dst = append(dst, b[1:]...)
	}
	return dst
}

// DecodeScalar reads a canonical scalar: 32 bytes, big-endian, below the order.
func DecodeScalar(b []byte) (*Scalar, error) {
	if len(b) != ScalarSize {
		return nil, ErrScalar
	}
	s, err := secp.NewScalarFromCanonicalBytes((*[ScalarSize]byte)(b))
	if err != nil {
		return nil, ErrScalar
	}
	return s, nil
}
