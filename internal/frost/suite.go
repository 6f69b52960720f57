// Package frost is the mathematics of the fleet: batch distributed key
// generation, resharing and threshold signing for both suites, with no I/O,
// clock, log or context. Randomness comes in as an argument.
//
// The root package deals in bytes and batches; the sub-packages hold the groups
// (secp256k1/vartime, edwards25519) and the schemes (bip340, bip445, rfc9591).
package frost

import "fmt"

// Suite names a signature scheme and the group under it. Its value is hashed
// and goes over the wire, so it never changes.
type Suite uint8

const (
	// Secp256k1TR is BIP 445: FROST over secp256k1 giving BIP 340 signatures
	// under BIP 341 tweaked keys.
	Secp256k1TR Suite = 1
	// Ed25519 is RFC 9591 FROST(Ed25519, SHA-512).
	Ed25519 Suite = 2
)

// String returns the suite's name.
func (s Suite) String() string {
	switch s {
	case Secp256k1TR:
		return "secp256k1-tr"
	case Ed25519:
		return "ed25519"
	}
	return fmt.Sprintf("suite(%d)", uint8(s))
}

// Valid reports whether s is a known suite.
func (s Suite) Valid() bool { return s == Secp256k1TR || s == Ed25519 }

// PublicKeySize is the length of an encoded public key in bytes: 33
// (compressed) or 32.
func (s Suite) PublicKeySize() int {
	if s == Secp256k1TR {
		return 33
	}
	return 32
}

// PointSize is the length of a point on the wire in bytes: 64 (x and y, which
// saves the receiver a square root) or 32.
func (s Suite) PointSize() int {
	if s == Secp256k1TR {
		return 64
	}
	return 32
}

// NonceSize is the length of one item's public nonces in form 0: two wire points.
func (s Suite) NonceSize() int { return 2 * s.PointSize() }

// Form is how public nonces go over the wire, as a session's task says. Those of secp256k1-tr are
// the same in all.
type Form uint32

// FormDivided is the first form in which public nonces of ed25519 are divided by 8, each by both
// coordinates, 64 bytes a point; before, they are as RFC 9591 encodes them.
const FormDivided Form = 1

// NonceSize is the length of one item's public nonces: two points.
func (f Form) NonceSize(s Suite) int {
	if s == Ed25519 {
		return edwardsForm(f).NonceSize()
	}
	return s.NonceSize()
}

// ScalarSize is the length of an encoded scalar in bytes, in both suites.
const ScalarSize = 32
