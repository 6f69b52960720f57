package rfc9591

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve"
)

// SecNonce holds the hiding and the binding nonce of one signature share and hands
// them out once, to the first caller of [Session.Sign]. It must not be copied (go vet reports copies); it prints as
// "[secret]".
type SecNonce struct {
	pair atomic.Pointer[noncePair]
}

// noncePair is two scalars and their public nonce.
type noncePair struct {
	hiding, binding Scalar
	pub             *PubNonce
}

func (p *noncePair) wipe() {
	p.hiding.Zero()
	p.binding.Zero()
}

// Format implements fmt.Formatter for every verb.
func (*SecNonce) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// Wipe makes the nonce unusable.
func (n *SecNonce) Wipe() {
	if p := n.pair.Swap(nil); p != nil {
		p.wipe()
	}
}

// NonceGen draws two nonces: each is the hash of 32 bytes from rand, a
// cryptographic source, and of the signer's secret share (32 bytes). RFC 9591,
// section 4.1, nonce_generate, and section 5.1.
func NonceGen(rand io.Reader, share []byte) (*SecNonce, *PubNonce, error) {
	if len(share) != ShareSize {
		return nil, nil, ErrShare
	}
	var random [64]byte
	defer clear(random[:])
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return nil, nil, fmt.Errorf("drawing a nonce: %w", err)
	}
	pair := new(noncePair)
	pub := new(PubNonce)
	for i, k := range []*Scalar{&pair.hiding, &pair.binding} {
		drawn := h3(random[32*i:][:32], share)
		k.Set(drawn)
		drawn.Zero()
		p := edwards25519.Encode(edwards25519.BaseMult(k))
		copy(pub.bytes[32*i:], p[:])
	}
	// Decoded again: the projective coordinates of points that were computed from
	// the secret scalars reveal more than the points do.
	pub, ok := ParseCheckedPubNonce(pub.bytes[:])
	if !ok {
		pair.wipe()
		return nil, nil, errors.New("drawing a nonce: it is 0 or 1, which a working hash function never produces")
	}
	pair.pub = pub
	n := new(SecNonce)
	n.pair.Store(pair)
	return n, pub, nil
}

// PubNonce is a signer's public nonce: the hiding and the binding point.
type PubNonce struct {
	hiding, binding *Point
	bytes           [PubNonceSize]byte
}

// ParsePubNonce reads two points in RFC 8032's encoding. It refuses encodings
// that are not canonical, points outside the prime-order group, the identity,
// and the base point: that is the nonce 1, which no signer draws, and which the
// library refuses only when it is too late to blame anyone.
func ParsePubNonce(b []byte) (*PubNonce, bool) { return parsePubNonce(b, edwards25519.DecodePoint) }

// ParseCheckedPubNonce is [ParsePubNonce] without the check that the points are
// of prime order, which is nine tenths of the cost: for nonces that passed it
// before, or whose signature will be verified.
func ParseCheckedPubNonce(b []byte) (*PubNonce, bool) {
	return parsePubNonce(b, edwards25519.DecodeTrusted)
}

func parsePubNonce(b []byte, decode func([]byte) (*Point, error)) (*PubNonce, bool) {
	if len(b) != PubNonceSize {
		return nil, false
	}
	n := &PubNonce{bytes: [PubNonceSize]byte(b)}
	for i, p := range []**Point{&n.hiding, &n.binding} {
		var err error
		if *p, err = decode(b[32*i:][:32]); err != nil || (*p).Equal(curve.ED25519_BASEPOINT_POINT) == 1 {
			return nil, false
		}
	}
	return n, true
}

// Bytes returns the encoding.
func (n *PubNonce) Bytes() []byte { return n.bytes[:] }
