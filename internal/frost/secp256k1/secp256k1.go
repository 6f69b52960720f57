// Package secp256k1 is the group of BIP 340 as the fleet uses it for secrets:
// constant time throughout. Public data (commitments of all dealers, nonces,
// signatures to verify) goes through package vartime below it.
//
// Secrets live in [Scalar] and become points through voi's ScalarBaseMult and
// ScalarMult.
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

// ErrPoint and ErrScalar mean that external bytes are no point or scalar.
var (
	ErrPoint  = errors.New("not a canonical secp256k1 point: want 64 bytes x || y on the curve")
	ErrScalar = errors.New("not a canonical secp256k1 scalar: want 32 bytes below the group order")
)

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
