// Package bip445 is FROST signing over secp256k1 as BIP 445 defines it: two
// rounds, t of n signers, one BIP 340 signature under a key that may be
// tweaked as in BIP 32 (plain) or BIP 341 (x-only).
//
// Signer i holds f(i+1), where f is a polynomial of degree t-1 and f(0)·G the
// threshold public key. In round one each signer draws two nonces k1, k2
// ([NonceGen]) and publishes R1 = k1·G, R2 = k2·G. In round two, with the nonces of
// all signers summed ([AggregateAll]), everyone computes ([NewSessions])
//
//	b = H(u, ids, R1, R2, Q, m)   R = R1 + b·R2   e = H(R, Q, m)
//
// and each signer sends the partial signature s = k1 + b·k2 + e·λ·d
// ([Session.Respond]), with signs adapted to the parities of R and Q. They add up
// to a signature ([Session.Signature]); each can be checked against its signer's
// public nonce and public share ([VerifyBatch], [Session.Verify]).
//
// What the specification passes around as bytes and validates in each call is
// validated once here and then has a type: [SignerSet], [TweakContext],
// [PubNonce], [AggNonce], [Session], so that a batch does each computation once.
// Tests build the specification's own functions on them and run its vectors. A
// [SecNonce] hands out its secret once.
//
// Identifiers are the specification's, 0..n-1; identifier i belongs to the
// polynomial's value at i+1. Arithmetic on secrets is constant time.
package bip445

import (
	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// Scalar is an integer modulo the group's order, with constant time arithmetic.
type Scalar = secp.Scalar

// Draft is the version of BIP 445 that this package implements. Signers of
// different drafts may hash differently and then can't sign together.
const Draft = "0.10.0"

// MaxParticipants bounds n. BIP 445 sets it.
const MaxParticipants = 128

const (
	// PubNonceSize is the length of a public nonce and of an aggregate nonce
	// in the specification's encoding: two compressed points.
	PubNonceSize = 66
	// PointSize is the length of a compressed point.
	PointSize = 33
)

var (
	auxTag       = bip340.NewTag("BIP0445/aux")
	nonceTag     = bip340.NewTag("BIP0445/nonce")
	nonceCoefTag = bip340.NewTag("BIP0445/noncecoef")
)

// parsePoint reads a compressed point.
func parsePoint(b []byte) (vartime.Point, bool) {
	if len(b) != PointSize || b[0]&^1 != 2 {
		return vartime.Point{}, false
	}
	return vartime.LiftX((*[32]byte)(b[1:]), b[0] == 3)
}

// Pubshare is a signer's public share, f(id+1)·G, of prime order.
type Pubshare struct{ p vartime.Point }

// NewPubshare takes a point, which must not be the identity.
func NewPubshare(p vartime.Point) (*Pubshare, bool) {
	return &Pubshare{p}, !p.IsIdentity()
}

// Bytes returns the compressed encoding.
func (p *Pubshare) Bytes() []byte { return p.p.AppendCompressed(nil) }

// ParseScalar reads a canonical scalar, such as a secret share or a partial
// signature: 32 bytes, big-endian, below the group's order. Constant time.
func ParseScalar(b []byte) (*Scalar, bool) {
	if len(b) != 32 {
		return nil, false
	}
	s, err := secp.NewScalarFromCanonicalBytes((*[32]byte)(b))
	return s, err == nil
}

// wrap returns the scalar of 32 bytes reduced modulo the order.
func wrap(b *[32]byte) *Scalar {
	s, _ := secp.NewScalarFromBytes(b)
	return s
}
