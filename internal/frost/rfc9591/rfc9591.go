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
// Nonces, signature shares and their verification are computed here, over
// curve25519-voi, in constant time where they are secret. Aggregation is
// github.com/bytemare/frost's, which no other package imports and which gets to see
// public data only: with hashes and a group that share nothing with this package,
// it is a check of everything before it. At the pinned version it has properties
// that this package is built around:
//
//   - Its hash functions share one state in the process: concurrent calls produce
//     wrong hashes and panics. So every call into it holds one mutex, and a panic
//     becomes an error.
//   - It accepts points of small and mixed order. So every external point that a
//     signer works with passes [ParsePubNonce] first: canonical, of prime order,
//     not the identity. Aggregation may use [ParseCheckedPubNonce].
//
// A signature is verified by crypto/ed25519 in the caller. Where that fails,
// [VerifyBatch] finds the signature share.
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

	maxSigners = 255 // of a key: the library is given no more stand-ins
)

// Errors that callers distinguish.
var (
	// ErrNonceUsed means that a secret nonce was taken before.
	ErrNonceUsed = errors.New("secret nonce was used already: start a new session with a fresh one")
	// ErrShare means that a secret share is not a scalar, or zero.
	ErrShare = errors.New("secret share is not a scalar in range")
	// ErrChild means that a child key is the identity, which nobody can bring about
	// without the secret key.
	ErrChild = errors.New("child key is the identity: use another path")
	// ErrNotASigner means that an identifier is not in the set.
	ErrNotASigner = errors.New("own identifier is not in the set of signers")
)

func scalarOf(id uint16) *Scalar { return scalar.NewFromUint64(uint64(id)) }
