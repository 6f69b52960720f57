// Package rfc9591 is FROST(Ed25519, SHA-512) as RFC 9591 defines it: two
// rounds, t of n signers, one signature that any Ed25519 verifier accepts.
//
// Signer i (identifiers run from 1) holds f(i), where f is a polynomial of
// degree t-1 and f(0)·B the public key. In round one each signer draws a hiding
// and a binding nonce d, e ([SecNonce.Draw]) and publishes D = d·B, E = e·B. In round
// two, with the set of all D_j, E_j and the message, everyone computes the
// binding factors ρ_j, R = ΣD_j + Σρ_j·E_j and c = H(R, Y, m), and each signer
// sends the share z = d + ρ_i·e + λ_i·c·f(i) ([Session.Sign]). The shares add up
// to the signature (R, z) ([Session.Aggregate]).
//
// All of it is computed here, over curve25519-voi, in constant time where it is secret, and in
// batches, since many points share an inversion. No state is shared: calls may run side by side.
// github.com/bytemare/frost, which has hashes and a group of its own, checks this package in tests
// and, of a sample, at run time: see package oracle.
//
// Public nonces go over the wire in one of two forms ([Form]); every external point is of prime
// order once it is parsed ([ParseNonces]), and hashed as the RFC has it.
//
// A signature is verified by others in the caller. Where that fails, [VerifyBatch] finds the
// signature share.
package rfc9591

import (
	"errors"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

// Point and Scalar are those of the group.
type (
	Point  = edwards25519.Point
	Scalar = edwards25519.Scalar
)

const (
	// PubNonceSize is the length of a public nonce: two encoded points.
	PubNonceSize = 64
	// ShareSize is the length of a secret share and of a signature share.
	ShareSize = 32

	maxSigners = 255 // of a key
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
