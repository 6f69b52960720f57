package wire

import (
	"crypto/ed25519"
	"fmt"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// verifier checks signatures of one Ed25519 key. Few keys sign the thousands of
// messages on the bus, and checking those is a fifth of what a burst of single
// signatures costs; with the key's multiples computed once it takes three
// fifths of crypto/ed25519's time. It accepts what crypto/ed25519 accepts.
type verifier struct{ key *voi.ExpandedPublicKey }

// newVerifier refuses what is not the encoding of a point.
func newVerifier(key []byte) (*verifier, error) {
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("Ed25519 public key of %d bytes, want %d", len(key), ed25519.PublicKeySize)
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
