package client

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
)

// The suites, as results name them.
const (
	SuiteSecp256k1TR = "secp256k1-tr" // bitcoin: BIP 340 under BIP 341 output keys
	SuiteEd25519     = "ed25519"      // solana
)

// ErrSignature: the signature does not verify.
var ErrSignature = errors.New("signature does not verify")

// VerifySignature checks a signature with libraries that share no code with
// the fleet: btcec for BIP 340, crypto/ed25519 for Ed25519. suite is
// SuiteSecp256k1TR or SuiteEd25519, publicKey the output key, 32 bytes,
// signature 64 bytes. ErrSignature means that the signature does not verify;
// other errors, that the input can't be a key, message and signature. All input
// is public: verification is not constant time.
//
// An Ed25519 signature must be one that Solana accepts, which judges as verify_strict of
// ed25519-dalek does: a key or nonce commitment of small order is refused, and the equation
// is the one without the cofactor. Under such a key (32 zero bytes, for instance) anybody
// can sign. Keys and nonce commitments in another encoding than the canonical one are
// refused as well: libraries differ in what they make of them.
func VerifySignature(suite string, publicKey, message, signature []byte) error {
	if len(publicKey) != 32 || len(signature) != 64 {
		return fmt.Errorf("public key of %d and signature of %d bytes: want 32 and 64", len(publicKey), len(signature))
	}
	switch suite {
	case SuiteSecp256k1TR:
		return verifyBIP340(publicKey, message, signature)
	case SuiteEd25519:
		return verifyStrict(publicKey, message, signature)
	}
	return fmt.Errorf("unknown suite %.64q: use %s or %s", suite, SuiteSecp256k1TR, SuiteEd25519)
}

func verifyStrict(publicKey, message, signature []byte) error {
	if reason := weak(publicKey); reason != "" {
		return fmt.Errorf("%w: the public key %s", ErrSignature, reason)
	}
	if reason := weak(signature[:32]); reason != "" {
		return fmt.Errorf("%w: its nonce commitment %s", ErrSignature, reason)
	}
	if !ed25519.Verify(publicKey, message, signature) {
		return ErrSignature
	}
	return nil
}

// weak says why a point must not be in a signature, whatever the equation says.
func weak(encoded []byte) string {
	p, err := new(edwards25519.Point).SetBytes(encoded)
	switch {
	case err != nil:
		return "is not a point of the curve"
	case new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1:
		return "is of small order: anybody can make such signatures"
	case !bytes.Equal(p.Bytes(), encoded):
		return "is not in its canonical encoding"
	}
	return ""
}

func verifyBIP340(publicKey, message, signature []byte) error {
	if len(message) != 32 {
		return fmt.Errorf("message of %d bytes: %s signs hashes of 32", len(message), SuiteSecp256k1TR)
	}
	key, err := schnorr.ParsePubKey(publicKey)
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	sig, err := schnorr.ParseSignature(signature)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if !sig.Verify(message, key) {
		return ErrSignature
	}
	return nil
}

// TaprootOutputKey is the x-only output key of an internal key, 32 (x-only) or
// 33 bytes (compressed), under a script tree's Merkle root of 32 bytes, or none
// (BIP 341, and BIP 86 without a root).
func TaprootOutputKey(internalKey, scriptRoot []byte) ([]byte, error) {
	if n := len(scriptRoot); n != 0 && n != 32 {
		return nil, fmt.Errorf("script root of %d bytes, want 32", n)
	}
	x := internalKey
	if len(x) == 33 {
		if x[0] != 2 && x[0] != 3 {
			return nil, fmt.Errorf("internal key: first byte %#x, a compressed key starts with 2 or 3", x[0])
		}
		x = x[1:]
	}
	key, err := schnorr.ParsePubKey(x) // lift_x: the point with even y
	if err != nil {
		return nil, fmt.Errorf("internal key: %w", err)
	}
	var t btcec.ModNScalar
	if t.SetByteSlice(chainhash.TaggedHash(chainhash.TagTapTweak, x, scriptRoot)[:]) {
		return nil, errors.New("internal key: its tweak is not below the group order")
	}
	var p, tG, q btcec.JacobianPoint
	key.AsJacobian(&p)
	btcec.ScalarBaseMultNonConst(&t, &tG)
	btcec.AddNonConst(&p, &tG, &q)
	if (q.X.IsZero() && q.Y.IsZero()) || q.Z.IsZero() {
		return nil, errors.New("internal key: its output key is the point at infinity")
	}
	q.ToAffine()
	return schnorr.SerializePubKey(btcec.NewPublicKey(&q.X, &q.Y)), nil
}
