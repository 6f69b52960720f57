// Package rfc9591 is FROST(Ed25519, SHA-512) as RFC 9591 defines it: two
// rounds, t of n signers, one signature that any Ed25519 verifier accepts.
//
// Signer i (identifiers run from 1) holds f(i), where f is a polynomial of
// degree t-1 and f(0)·B the public key. In round one each signer draws a hiding
// and a binding nonce d, e ([NonceGen]) and publishes D = d·B, E = e·B. In round
// two, with the set of all D_j, E_j and the message, everyone computes the
// binding factors ρ_j, R = ΣD_j + Σρ_j·E_j and c = H(R, Y, m), and each signer
// sends the share z = d + ρ_i·e + λ_i·c·f(i) ([Session.Sign]). The shares add up
// to the signature (R, z) ([Session.Aggregate]).
//
// Signing and aggregation are github.com/bytemare/frost's, which no other
// package imports. At the pinned version it has properties that this package
// is built around:
//
//   - Its hash functions share one state in the process: concurrent
//     calls, even on separate signers, produce wrong hashes, equal nonces, panics.
//     So every call into it holds one mutex, and its own nonce generation is
//     not used: nonces are RFC 9591's nonce_generate, drawn here.
//   - A Sign that fails leaves the nonces in the signer. So a signer is made
//     for one share, the nonces move into it by an atomic take, and they are
//     cleared whatever the outcome; a panic becomes an error.
//   - It accepts points of small and mixed order. So every external point that a
//     signer works with passes [ParsePubNonce] first: canonical, of prime order,
//     not the identity. Aggregation may use [ParseCheckedPubNonce].
//
// Its results are checked by code that shares nothing with it: signature shares by
// [VerifyBatch], with transcript hashes and a group of our own, signatures by
// crypto/ed25519 in the caller.
package rfc9591

import (
	"errors"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Point and Scalar are those of the group.
type (
	Point  = edwards25519.Point
	Scalar = edwards25519.Scalar
)

const (
	// PubNonceSize is the length of a public nonce: two points.
	PubNonceSize = 64
	// ShareSize is the length of a secret share and of a signature share.
	ShareSize = 32
)

// Errors that callers distinguish.
var (
	// ErrNonceUsed means that a secret nonce was taken before.
	ErrNonceUsed = errors.New("secret nonce was used already: start a new session with a fresh one")
	// ErrShare means that a secret share is not a scalar, or zero.
	ErrShare = errors.New("secret share is not a scalar in range")
	// ErrNotASigner means that an identifier is not in the set.
	ErrNotASigner = errors.New("own identifier is not in the set of signers")
)

func scalarOf(id uint16) *Scalar { return scalar.NewFromUint64(uint64(id)) }
