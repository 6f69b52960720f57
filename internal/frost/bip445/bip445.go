// Package bip445 is FROST signing over secp256k1 as BIP 445 defines it: two
// rounds, t of n signers, one BIP 340 signature under a key that may be
// tweaked as in BIP 32 (plain) or BIP 341 (x-only).
//
// Signer i holds f(i+1), where f is a polynomial of degree t-1 and f(0)·G the
// threshold public key. In round one each signer draws two nonces k1, k2
// ([NonceGen]) and shows R1 = k1·G, R2 = k2·G. In round two, with the nonces of
// all signers summed ([NonceAgg]), everyone computes
//
//	b = H(ids, R1, R2, Q, m)   R = R1 + b·R2   e = H(R, Q, m)
//
// and each signer answers s = k1 + b·k2 + e·λ·d ([Sign]), signs adapted to the
// parities of R and Q. The answers sum up to a signature ([PartialSigAgg]); an
// answer is checked against its signer's public nonce and public share
// ([PartialSigVerify]).
//
// What the specification passes around as bytes and validates at each call is
// validated once here and then has a type: [SignerSet] and [SignersContext],
// [TweakContext], [PubNonce], [AggNonce], [Session]. The functions named as in
// the specification take bytes and give its errors; the methods behind them
// take those types, so that a batch does each computation once. A [SecNonce]
// gives out its secret once.
//
// Identifiers are the specification's, 0..n-1; identifier i belongs to the
// polynomial's value at i+1. Arithmetic on secrets is constant time.
package bip445

import (
	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// Point and Scalar are those of the group.
type (
	Point  = secp256k1.Point
	Scalar = secp256k1.Scalar
)

const (
	// PubNonceSize is the length of a public nonce and of an aggregate nonce
	// in the specification's encoding: two compressed points.
	PubNonceSize = 66
	// PointSize is the length of a compressed point.
	PointSize = 33
	// PartialSigSize is the length of a partial signature, a scalar.
	PartialSigSize = 32
	// SecNonceSize is the length of a secret nonce, two scalars.
	SecNonceSize = 64
)

var (
	auxTag       = bip340.NewTag("BIP0445/aux")
	nonceTag     = bip340.NewTag("BIP0445/nonce")
	nonceCoefTag = bip340.NewTag("BIP0445/noncecoef")
)

// encoded is a point other than the identity beside what its encodings need,
// so that a point is brought to affine coordinates, which takes an inversion,
// once.
type encoded struct {
	p     *Point
	bytes [65]byte // 4 || x || y
}

// encode is constant time. The point it keeps is the affine one: projective
// coordinates that come from a secret scalar tell more than the point does,
// and must not get into variable time code.
func encode(p *Point) (encoded, bool) {
	if p.IsIdentity() == 1 {
		return encoded{}, false
	}
	e := encoded{bytes: [65]byte(p.UncompressedBytes())}
	q, err := secp.NewPointFromBytes(e.bytes[:])
	if err != nil {
		panic("bip445: the group encoded a point that it can't decode: " + err.Error())
	}
	e.p = q
	return e, true
}

// encodedFromWire reads a wire point, 64 bytes, which has all that encodings
// need.
func encodedFromWire(b []byte) (encoded, bool) {
	p, err := secp256k1.DecodePoint(b)
	if err != nil {
		return encoded{}, false
	}
	e := encoded{p: p}
	e.bytes[0] = 4
	copy(e.bytes[1:], b)
	return e, true
}

// parsePoint reads a compressed point.
func parsePoint(b []byte) (*Point, bool) {
	if len(b) != PointSize {
		return nil, false
	}
	p, err := secp.NewPointFromBytes(b)
	return p, err == nil
}

func (e *encoded) yIsOdd() uint64 { return uint64(e.bytes[64] & 1) }

func (e *encoded) x() *[32]byte { return (*[32]byte)(e.bytes[1:33]) }

// appendCompressed appends the compressed encoding.
func (e *encoded) appendCompressed(dst []byte) []byte {
	return append(append(dst, 2+e.bytes[64]&1), e.bytes[1:33]...)
}

// Pubshare is a signer's public share, f(id+1)·G, of prime order.
type Pubshare struct{ encoded }

// NewPubshare takes a point, which must not be the identity.
func NewPubshare(p *Point) (*Pubshare, bool) {
	e, ok := encode(p)
	return &Pubshare{e}, ok
}

// Bytes gives the compressed encoding.
func (p *Pubshare) Bytes() []byte { return p.appendCompressed(nil) }

// wrap gives the scalar of 32 bytes reduced modulo the order.
func wrap(b *[32]byte) *Scalar {
	s, _ := secp.NewScalarFromBytes(b)
	return s
}
