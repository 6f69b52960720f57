package wire

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

// verifier checks signatures of one Ed25519 key. Few keys sign the thousands of
// messages on the bus, and checking those is a fifth of what a burst of single
// signatures costs; with the key's multiples computed once it takes three
// fifths of crypto/ed25519's time. Under a key that CheckPublicKey accepts, it
// accepts what crypto/ed25519 accepts.
type verifier struct{ key *voi.ExpandedPublicKey }

// ErrWeakKey says that bytes are no key that somebody holds the private half of.
var ErrWeakKey = errors.New("not a usable Ed25519 public key: it is no canonical point of prime order " +
	"(64 zeros, for instance, are a point of order 4, for which anybody can sign)")

// CheckPublicKey refuses every Ed25519 public key that ed25519.GenerateKey can't
// have made. Under a point of small order (there are eight, in fourteen
// encodings) anybody can sign anything within a few hashes, and one that has a part
// of small order makes verifiers disagree.
func CheckPublicKey(key []byte) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("Ed25519 public key of %d bytes, want %d", len(key), ed25519.PublicKeySize)
	}
	if _, err := edwards25519.DecodePoint(key); err != nil {
		return ErrWeakKey
	}
	return nil
}

// newVerifier refuses what CheckPublicKey refuses.
func newVerifier(key []byte) (*verifier, error) {
	if err := CheckPublicKey(key); err != nil {
		return nil, err
	}
	expanded, err := voi.NewExpandedPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("not an Ed25519 public key: %w", err)
	}
	return &verifier{key: expanded}, nil
}

var asCryptoEd25519 = &voi.Options{Verify: voi.VerifyOptionsStdLib}

func (v *verifier) verify(message, signature []byte) bool {
	return voi.VerifyExpandedWithOptions(v.key, message, signature, asCryptoEd25519)
}
