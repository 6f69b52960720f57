package frost

import (
	"errors"

	"github.com/oasisprotocol/curve25519-voi/curve"
	secp "gitlab.com/yawning/secp256k1-voi"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1"
)

// group is what the key generation needs of a group of prime order with
// scalars S and points P. All of it is constant time in scalars and points
// except what says Vartime and what decodes.
type group[S, P any] interface {
	// reduce sets dst to the number in b (at most 64 bytes, in the byte order
	// of the group's scalars) modulo the order. 64 random bytes give a uniform
	// scalar.
	reduce(dst *S, b []byte)
	small(x uint32) *S
	add(dst, a, b *S)
	mul(dst, a, b *S)
	appendScalar(dst []byte, s *S) []byte
	decodeScalar(dst *S, b []byte) error

	// appendDealt appends s·G as deals carry it; decodeDealt reads that, and
	// what it gives is in the prime-order group and not the identity.
	appendDealt(dst []byte, s *S) []byte
	decodeDealt(b []byte) (*P, error)

	baseMult(s *S) *P
	multVartime(scalars []*S, points []*P) *P
	addPoint(dst, a, b *P)
	equal(a, b *P) bool
	isIdentity(p *P) bool

	// appendPoint appends the wire encoding of p, not the identity, and
	// publicKey makes a public key of one wire encoding.
	appendPoint(dst []byte, p *P) []byte
	publicKey(wire []byte) []byte
}

type secpGroup struct{}

// twoTo256 is 2^256 modulo the order.
var twoTo256 = func() *secp.Scalar {
	var ones [32]byte
	for i := range ones {
		ones[i] = 0xff
	}
	s, _ := secp.NewScalarFromBytes(&ones)
	return s.Add(s, secp.NewScalarFromUint64(1))
}()

func (secpGroup) reduce(dst *secp.Scalar, b []byte) {
	var wide [64]byte
	copy(wide[64-len(b):], b)
	var high secp.Scalar
	high.SetBytes((*[32]byte)(wide[:32]))
	dst.SetBytes((*[32]byte)(wide[32:]))
	dst.Add(dst, high.Multiply(&high, twoTo256))
	high.Zero()
	clear(wide[:])
}

func (secpGroup) small(x uint32) *secp.Scalar { return secp.NewScalarFromUint64(uint64(x)) }
func (secpGroup) add(dst, a, b *secp.Scalar)  { dst.Add(a, b) }
func (secpGroup) mul(dst, a, b *secp.Scalar)  { dst.Multiply(a, b) }

func (secpGroup) appendScalar(dst []byte, s *secp.Scalar) []byte {
	b := s.Bytes()
	defer clear(b)
	return append(dst, b...)
}

func (secpGroup) decodeScalar(dst *secp.Scalar, b []byte) error {
	_, err := dst.SetCanonicalBytes((*[32]byte)(b))
	return err
}

func (g secpGroup) appendDealt(dst []byte, s *secp.Scalar) []byte {
	return g.appendPoint(dst, g.baseMult(s))
}

func (secpGroup) decodeDealt(b []byte) (*secp.Point, error) { return secp256k1.DecodePoint(b) }

func (secpGroup) baseMult(s *secp.Scalar) *secp.Point { return new(secp.Point).ScalarBaseMult(s) }

func (secpGroup) multVartime(scalars []*secp.Scalar, points []*secp.Point) *secp.Point {
	return secp256k1.MultiScalarMultVartime(scalars, points)
}

func (secpGroup) addPoint(dst, a, b *secp.Point) { dst.Add(a, b) }
func (secpGroup) equal(a, b *secp.Point) bool    { return a.Equal(b) == 1 }
func (secpGroup) isIdentity(p *secp.Point) bool  { return p.IsIdentity() == 1 }
func (secpGroup) publicKey(wire []byte) []byte   { return append([]byte{2 | wire[63]&1}, wire[:32]...) }
func (secpGroup) appendPoint(dst []byte, p *secp.Point) []byte {
	return secp256k1.EncodePoints(dst, []*secp.Point{p})
}

type edwardsGroup struct{}

func (edwardsGroup) reduce(dst *edwards25519.Scalar, b []byte) {
	var wide [64]byte
	copy(wide[:], b)
	if _, err := dst.SetBytesModOrderWide(wide[:]); err != nil {
		panic("edwards25519: " + err.Error()) // of the length alone
	}
	clear(wide[:])
}

func (edwardsGroup) small(x uint32) *edwards25519.Scalar {
	return new(edwards25519.Scalar).SetUint64(uint64(x))
}
func (edwardsGroup) add(dst, a, b *edwards25519.Scalar) { dst.Add(a, b) }
func (edwardsGroup) mul(dst, a, b *edwards25519.Scalar) { dst.Mul(a, b) }

func (edwardsGroup) appendScalar(dst []byte, s *edwards25519.Scalar) []byte {
	var b [32]byte
	defer clear(b[:])
	if err := s.ToBytes(b[:]); err != nil {
		panic("edwards25519: " + err.Error()) // of the length alone
	}
	return append(dst, b[:]...)
}

func (edwardsGroup) decodeScalar(dst *edwards25519.Scalar, b []byte) error {
	_, err := dst.SetCanonicalBytes(b)
	return err
}

func (edwardsGroup) appendDealt(dst []byte, s *edwards25519.Scalar) []byte {
	return edwards25519.EncodeDivided(dst, s)
}

func (edwardsGroup) decodeDealt(b []byte) (*edwards25519.Point, error) {
	return edwards25519.DecodeDivided(b)
}

func (edwardsGroup) baseMult(s *edwards25519.Scalar) *edwards25519.Point {
	return new(edwards25519.Point).MulBasepoint(curve.ED25519_BASEPOINT_TABLE, s)
}

func (edwardsGroup) multVartime(s []*edwards25519.Scalar, p []*edwards25519.Point) *edwards25519.Point {
	return edwards25519.MultiScalarMultVartime(s, p)
}

func (edwardsGroup) addPoint(dst, a, b *edwards25519.Point) { dst.Add(a, b) }
func (edwardsGroup) equal(a, b *edwards25519.Point) bool    { return a.Equal(b) == 1 }
func (edwardsGroup) isIdentity(p *edwards25519.Point) bool  { return p.IsIdentity() }
func (edwardsGroup) publicKey(wire []byte) []byte           { return append([]byte(nil), wire...) }
func (edwardsGroup) appendPoint(dst []byte, p *edwards25519.Point) []byte {
	return edwards25519.EncodePoints(dst, []*edwards25519.Point{p})
}

// pointCode is the code of what a decoder of dealt points says.
func pointCode(err error) string {
	if errors.Is(err, edwards25519.ErrIdentity) {
		return CodeIdentity
	}
	return CodePoint
}
