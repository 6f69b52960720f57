// Package keyprovider is the contract between a node and the device that
// holds its keys: AWS KMS, a PKCS#11 HSM or, for development, a file.
//
// A provider has two keys. The identity key (P-256) signs what must last or
// be authorised: session delegations and batch certificates. The derivation
// key is a pseudo-random function, from which the node's host secret, its
// seal key and the hedging of its randomness come. They are two keys because
// devices randomise ECDSA: a signature can never be the root of recovery.
//
// The packages below hold the back ends; package conformance is the suite
// that each of them passes in its tests, and Check what each of them passes
// whenever a program starts.
package keyprovider

import (
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// Provider signs and derives with keys that stay inside it. All methods may
// be called concurrently, and return an error that wraps ctx.Err() once ctx
// has ended. After Close they return ErrClosed.
type Provider interface {
	// Identity returns the public half of the identity key, on P-256.
	Identity(ctx context.Context) (*ecdsa.PublicKey, error)
	// Sign signs a SHA-256 digest with the identity key: ECDSA, ASN.1 DER.
	// Two signatures of one digest may differ.
	Sign(ctx context.Context, digest [32]byte) ([]byte, error)
	// Derive is a pseudo-random function of the derivation key: one label
	// always returns the same 32 bytes. Labels have 1 to MaxLabel bytes. The
	// result is secret; the caller wipes it.
	Derive(ctx context.Context, label []byte) ([32]byte, error)
	// Close wipes or releases the keys. It waits for the calls under way
	// and may be called again.
	Close() error
}

// MaxLabel is the longest label of Derive in bytes. AWS KMS GenerateMac takes
// at most 4,096.
const MaxLabel = 1024

var (
	// ErrCannotDerive says that the provider has no derivation key. Such a
	// provider serves for signing only: it can't carry a node.
	ErrCannotDerive = errors.New("key provider has no derivation key: configure one")
	// ErrClosed says that the provider was closed. The call is not repeated.
	ErrClosed = errors.New("key provider is closed")
	// ErrLabel says that a label is empty or too long: a fault of the program.
	ErrLabel = errors.New("derivation label is outside 1 to 1024 bytes")
)

// CheckLabel returns ErrLabel unless label has 1 to MaxLabel bytes. Every
// provider calls it first, so that no label works with one device only.
func CheckLabel(label []byte) error {
	if len(label) < 1 || len(label) > MaxLabel {
		return fmt.Errorf("%w: it has %d", ErrLabel, len(label))
	}
	return nil
}

// HMAC is what AWS KMS and PKCS#11 derive: HMAC-SHA256 of the label. It is for
// keys outside a device.
func HMAC(key *secret.Bytes, label []byte) (out [32]byte) {
	mac := hmac.New(sha256.New, key.Expose())
	mac.Write(label)
	mac.Sum(out[:0])
	return out
}
