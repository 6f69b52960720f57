package rfc9591

import (
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// SecNonce holds the hiding and the binding nonce of one signature share and hands
// them out once, to the first caller of [Session.Sign]. It is empty until [SecNonce.Draw]. It must
// not be copied (go vet reports copies); it prints as "[secret]".
type SecNonce struct {
	pair atomic.Pointer[noncePair]
}

// noncePair is two scalars and, once it is published, their public nonce.
type noncePair struct {
	secrets [2]Scalar          // hiding, binding
	pub     [PubNonceSize]byte // zero until it is published
}

func (p *noncePair) wipe() {
	for i := range p.secrets {
		p.secrets[i].Zero()
	}
}

// Format implements fmt.Formatter for every verb.
func (*SecNonce) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// Wipe makes the nonce unusable.
func (n *SecNonce) Wipe() {
	if p := n.pair.Swap(nil); p != nil {
		p.wipe()
	}
}

// Draw draws two nonces in place of those that n holds: each is the hash of 32 bytes from rand,
// a cryptographic source, and of the signer's secret share (32 bytes). They sign once they are
// published ([Publish]). RFC 9591, section 4.1, nonce_generate, and section 5.1.
func (n *SecNonce) Draw(rand io.Reader, share []byte) error {
	n.Wipe()
	if len(share) != ShareSize {
		return ErrShare
	}
	var random [2][32]byte
	defer clear(random[:])
	for i := range random {
		if _, err := io.ReadFull(rand, random[i][:]); err != nil {
			return fmt.Errorf("drawing a nonce: %w", err)
		}
	}
	pair := new(noncePair)
	for i := range random {
		h3(&pair.secrets[i], &random[i], share)
	}
	n.pair.Store(pair)
	return nil
}

// h3 is RFC 9591's H3 of 32 bytes and a share.
func h3(out *Scalar, random *[32]byte, share []byte) {
	const domain = contextString + "nonce"
	var in [len(domain) + 32 + ShareSize]byte
	copy(in[copy(in[:], domain):], random[:])
	copy(in[len(domain)+32:], share)
	wide := sha512.Sum512(in[:])
	reduce(out, &wide)
	clear(in[:])
	clear(wide[:])
}

// Publish computes the public nonces of nonces that were drawn, all together: what goes over the
// wire, form.NonceSize() bytes each. Constant time. An error wipes them all.
func Publish(form Form, nonces []SecNonce) (wire []byte, err error) {
	secrets := make([]Scalar, 0, 2*len(nonces))
	defer func() {
		clear(secrets)
		if err != nil {
			for i := range nonces {
				nonces[i].Wipe()
			}
		}
	}()
	pairs := make([]*noncePair, len(nonces))
	for i := range nonces {
		if pairs[i] = nonces[i].pair.Load(); pairs[i] == nil {
			return nil, ErrNonceUsed
		}
		secrets = append(secrets, pairs[i].secrets[:]...)
	}
	if form == Divided {
		for i := range secrets {
			edwards25519.DivideByCofactor(&secrets[i])
		}
	}
	points := make([]edwards25519.Affine, len(secrets))
	edwards25519.BaseMults(points, secrets)
	wire = make([]byte, 0, len(nonces)*form.NonceSize())
	for i := range points {
		if form == Divided {
			wire = points[i].AppendCoordinates(wire)
		} else {
			b := points[i].Encode()
			wire = append(wire, b[:]...)
		}
	}
	pubs := make([]PubNonce, len(nonces))
	if bad := finish(form, pubs, points); bad >= 0 {
		return nil, errors.New("drawing a nonce: it is 0 or 1, which a working hash function never produces")
	}
	for i := range pairs {
		pairs[i].pub = pubs[i].bytes
	}
	return wire, nil
}

func reduce(out *Scalar, wide *[64]byte) {
	if _, err := out.SetBytesModOrderWide(wide[:]); err != nil {
		panic("rfc9591: 64 bytes do not reduce to a scalar: " + err.Error())
	}
}

func scalarOf(id uint16) *Scalar { return scalar.NewFromUint64(uint64(id)) }
