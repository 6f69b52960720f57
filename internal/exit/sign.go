package exit

import (
	"crypto/ed25519"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

// SignEd25519 signs a message as RFC 8032 has it (section 5.1.6, from step 2), with a child of
// a key of Ed25519, or with the key itself if path is empty. A key of a fleet is a scalar
// without a seed, so that there is no prefix to make the nonce from: it is hashed from 32
// random bytes, the scalar and the message.
func (r *Root) SignEd25519(rand io.Reader, path derive.Path, message []byte) ([]byte, error) {
	if r.Suite != frost.Ed25519 {
		return nil, fmt.Errorf("key %s is of suite %s", r.ID, r.Suite)
	}
	child, err := r.Tree().Child(path)
	if err != nil {
		return nil, err
	}
	offsets, err := r.Tree().Offsets(path)
	if err != nil {
		return nil, err
	}
	a, err := edwards25519.DecodeScalar(r.Secret.Expose())
	if err != nil {
		return nil, errors.New("the secret is no scalar")
	}
	defer a.Zero()
	for _, offset := range offsets {
		o, err := edwards25519.DecodeScalar(offset[:])
		if err != nil {
			return nil, err
		}
		a.Add(a, o)
	}
	nonce, err := drawNonce(rand, a, message)
	if err != nil {
		return nil, err
	}
	defer nonce.Zero()
	point := edwards25519.Encode(edwards25519.BaseMult(nonce))
	k, err := wide(point[:], child.PublicKey, message)
	if err != nil {
		return nil, err
	}
	s := edwards25519.EncodeScalar(k.Add(k.Mul(k, a), nonce))
	signature := append(point[:], s[:]...)
	if !ed25519.Verify(child.PublicKey, message, signature) {
		return nil, errors.New("the signature does not verify: the secret is not the key's")
	}
	return signature, nil
}

func drawNonce(rand io.Reader, a *edwards25519.Scalar, message []byte) (*edwards25519.Scalar, error) {
	var random [32]byte
	defer clear(random[:])
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return nil, err
	}
	own := edwards25519.EncodeScalar(a)
	defer clear(own[:])
	return wide(random[:], own[:], message)
}

// wide is the SHA-512 of parts as a number modulo L.
func wide(parts ...[]byte) (*edwards25519.Scalar, error) {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	sum := h.Sum(nil)
	defer clear(sum)
	return new(edwards25519.Scalar).SetBytesModOrderWide(sum)
}
