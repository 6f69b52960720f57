package keyprovider

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
)

// Domain separation of the self-check: what it signs and derives is of no use
// elsewhere.
const (
	checkDigestTag = "frostfleet/keyprovider/check/sign/v1"
	checkLabelTag  = "frostfleet/keyprovider/check/derive/v1"
)

// A Step is one part of the self-check, named so that a program can print it.
type Step struct {
	Name string
	Run  func(context.Context, Provider) error
}

// Steps returns the self-check in order: identity, sign, derive. A step that
// succeeds proves that the device is reachable, that the key is of the right
// kind, and that the program may use it.
func Steps() []Step {
	return []Step{
		{"identity", func(ctx context.Context, p Provider) error { _, err := identity(ctx, p); return err }},
		{"sign", checkSign},
		{"derive", checkDerive},
	}
}

// Check runs every step and reports all failures at once. A provider without
// a derivation key fails with ErrCannotDerive.
func Check(ctx context.Context, p Provider) error {
	var failed []error
	for _, s := range Steps() {
		if err := s.Run(ctx, p); err != nil {
			failed = append(failed, fmt.Errorf("key provider self-check, %s: %w", s.Name, err))
		}
	}
	return errors.Join(failed...)
}

func identity(ctx context.Context, p Provider) (*ecdsa.PublicKey, error) {
	key, err := p.Identity(ctx)
	if err != nil {
		return nil, err
	}
	if key == nil || key.Curve != elliptic.P256() {
		return nil, errors.New("identity key is not on P-256: use a key of spec ECC_NIST_P256")
	}
	if _, err := key.ECDH(); err != nil { // checks that the point is on the curve
		return nil, fmt.Errorf("identity key is not a point on P-256: %w", err)
	}
	return key, nil
}

// checkSign signs a fresh digest, so that no stored signature can pass.
func checkSign(ctx context.Context, p Provider) error {
	key, err := identity(ctx, p)
	if err != nil {
		return fmt.Errorf("no identity key to verify with: %w", err)
	}
	return signsFor(ctx, p, key)
}

// signsFor has a provider sign, and verifies under the key.
func signsFor(ctx context.Context, p Provider, key *ecdsa.PublicKey) error {
	digest := sha256.Sum256([]byte(checkDigestTag + rand.Text()))
	sig, err := p.Sign(ctx, digest)
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(key, digest[:], sig) {
		return errors.New("signature does not verify under the identity key: the signing key is another one, or signs " +
			"other digests")
	}
	return nil
}

// checkDerive wants the same bytes twice for one label, other bytes for
// another, and not the zero string. From a Supervised it wants what the device
// derives: the cache would say the same twice of anything.
func checkDerive(ctx context.Context, p Provider) error {
	derive := p.Derive
	if s, ok := p.(*Supervised); ok {
		derive = s.deriveAfresh
	}
	var out [3][32]byte
	defer clear(out[:])
	for i, suffix := range []string{"/a", "/a", "/b"} {
		var err error
		if out[i], err = derive(ctx, []byte(checkLabelTag+suffix)); err != nil {
			return err
		}
	}
	same := subtle.ConstantTimeCompare(out[0][:], out[1][:])
	differ := 1 - subtle.ConstantTimeCompare(out[0][:], out[2][:])
	zero := subtle.ConstantTimeCompare(out[0][:], make([]byte, 32))
	switch {
	case same != 1:
		return errors.New("one label gave two values: the derivation key is randomised and shares could not be recovered")
	case differ != 1:
		return errors.New("two labels gave one value: the derivation key does not take its input into account")
	case zero == 1:
		return errors.New("derived value is all zeros")
	}
	return nil
}
