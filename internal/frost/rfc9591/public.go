package rfc9591

import (
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

// Form is how public nonces go over the wire. What is hashed is RFC 9591's in either form.
type Form uint8

const (
	// Encoded is two points in RFC 8032's encoding. That they are of prime order takes a
	// multiplication by the group order to see.
	Encoded Form = iota
	// Divided is two points divided by 8, each by its coordinates x and y, 32 bytes each,
	// little-endian. 8 times a point of the curve is of prime order or the identity, so nothing
	// else can arrive, and two coordinates take no square root.
	Divided
)

// NonceSize is the length of a public nonce on the wire in bytes.
func (f Form) NonceSize() int {
	if f == Divided {
		return 2 * edwards25519.CoordinatesSize
	}
	return PubNonceSize
}

// PubNonce is a signer's public nonce: the hiding and the binding point, which are of prime
// order and neither the identity nor the base point.
type PubNonce struct {
	hiding, binding edwards25519.Affine
	bytes           [PubNonceSize]byte // RFC 8032's encoding of both
}

// Bytes returns RFC 8032's encoding of both points, whatever went over the wire.
func (n *PubNonce) Bytes() []byte { return n.bytes[:] }

// ParseNonces reads public nonces that follow each other, form.NonceSize() bytes each, and
// returns -1, or the place of the first that is refused: for encodings that are not canonical,
// points off the curve or outside the prime-order group, the identity, and the base point: that
// is the nonce 1, which no signer draws, and which other implementations refuse. The order of
// points in form [Encoded] is looked at unless they passed that before, or their signature will be
// verified ("checked"): that is nine tenths of the cost. It panics if the lengths do not fit.
func ParseNonces(form Form, nonces []PubNonce, wire []byte, checked bool) (refused int) {
	if len(wire) != len(nonces)*form.NonceSize() {
		panic("rfc9591: as many public nonces as there is room for are needed")
	}
	size := form.NonceSize() / 2
	points := make([]edwards25519.Affine, 2*len(nonces))
	for i := range points {
		b, p := wire[i*size:][:size], &points[i]
		ok := false
		if form == Divided {
			ok = p.SetCoordinates(b)
		} else if ok = p.SetBytes(b); ok && !checked {
			_, err := edwards25519.DecodePoint(b)
			ok = err == nil
		}
		if !ok {
			points = points[:i/2*2] // those before may be refused yet, once they are multiplied
			nonces, refused = nonces[:i/2], i/2
			if bad := finish(form, nonces, points); bad >= 0 {
				return bad
			}
			return refused
		}
	}
	return finish(form, nonces, points)
}

// base is the nonce 1.
var base = edwards25519.GeneratorAffine()

// finish makes public nonces of the points on the wire, two each, and returns -1 or the first
// place where that can't be.
func finish(form Form, nonces []PubNonce, points []edwards25519.Affine) (refused int) {
	if form == Divided {
		edwards25519.MulByCofactor(points)
	}
	for i := range nonces {
		n := &nonces[i]
		n.hiding, n.binding = points[2*i], points[2*i+1]
		for j, p := range []*edwards25519.Affine{&n.hiding, &n.binding} {
			if p.IsIdentity() || p.Equal(&base) {
				return i
			}
			b := p.Encode()
			copy(n.bytes[32*j:], b[:])
		}
	}
	return -1
}

// CheckNonces is [ParseNonces] for those who need none of them.
func CheckNonces(form Form, count int, wire []byte) (refused int) {
	return ParseNonces(form, make([]PubNonce, count), wire, false)
}
