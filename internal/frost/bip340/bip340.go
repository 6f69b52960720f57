// Package bip340 verifies Schnorr signatures as BIP 340 defines them, one at a
// time and in batches. Signing is in package bip445.
//
// A signature (r, s) over a message m under an x-only key P is valid if
// s·G = R + e·P, where R is the point with x-coordinate r and even y, and
// e = H(r || P || m). One signature is checked by computing s·G - e·P and
// comparing. A batch is checked in one multi-scalar multiplication, the sum
// over i of a_i·(s_i·G - R_i - e_i·P_i) = 0 with weights a_i that the makers
// of the signatures could not predict (see [BatchVerify]).
//
// Everything here is public data, and all of it is variable time.
package bip340

import (
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

const (
	// PublicKeySize is the length of an x-only public key in bytes.
	PublicKeySize = 32
	// SignatureSize is the length of a signature in bytes.
	SignatureSize = 64
)

var challengeTag = NewTag("BIP0340/challenge")

// Challenge returns e = H(r || P || m) mod n, BIP 340's challenge, for the x
// coordinates r of the nonce and p of the key.
func Challenge(r, p *[32]byte, message []byte) *secp.Scalar {
	h := challengeTag.Hash(r[:], p[:], message)
	e, _ := secp.NewScalarFromBytes(&h)
	return e
}

// Verify reports whether signature (64 bytes) is valid for the message, of any
// length, under the x-only publicKey (32 bytes). BIP 340, Verification.
func Verify(publicKey, message, signature []byte) bool {
	p, ok := parse(&Signature{PublicKey: publicKey, Message: message, Signature: signature})
	return ok && p.valid()
}

// parsed is a signature whose key lies on the curve and whose s is in range.
type parsed struct {
	key   vartime.Point // P, with even y
	x     [32]byte      // of P
	r     [32]byte      // as signed
	nonce vartime.Point // R, with even y, if it is known already, else the identity
	s, e  *secp.Scalar
}

// parse decodes what can be decoded without a square root for r.
func parse(sig *Signature) (*parsed, bool) {
	if len(sig.PublicKey) != PublicKeySize || len(sig.Signature) != SignatureSize {
		return nil, false
	}
	x, r := [32]byte(sig.PublicKey), [32]byte(sig.Signature[:32])
	key, ok := known(sig.Key, &x)
	if !ok {
		key, ok = vartime.LiftX(&x, false)
	}
	if !ok {
		return nil, false
	}
	s, err := secp.NewScalarFromCanonicalBytes((*[32]byte)(sig.Signature[32:]))
	if err != nil {
		return nil, false
	}
	nonce, _ := known(sig.Nonce, &r)
	return &parsed{key: key, x: x, r: r, nonce: nonce, s: s, e: Challenge(&r, &x, sig.Message)}, true
}

// known returns the one of p and -p that has an even y if its x-coordinate is x:
// the result of lift_x.
func known(p *vartime.Point, x *[32]byte) (vartime.Point, bool) {
	if p == nil || p.IsIdentity() || p.X() != *x {
		return vartime.Point{}, false
	}
	return p.NegateIf(p.YIsOdd()), true
}

// lift returns R. BIP 340, lift_x.
func (p *parsed) lift() (vartime.Point, bool) {
	if !p.nonce.IsIdentity() {
		return p.nonce, true
	}
	return vartime.LiftX(&p.r, false)
}

// valid checks one signature: that s·G - e·P is R. Where R is not known, an r
// that is no canonical x-coordinate equals none and needs no check of its own.
func (p *parsed) valid() bool {
	minusE := secp.NewScalar().Negate(p.e)
	r := vartime.MultiScalarMult([]*secp.Scalar{minusE}, []vartime.Point{p.key})
	sG := vartime.BaseMult(p.s)
	r.Add(&sG)
	if !p.nonce.IsIdentity() {
		return r.Equals(&p.nonce)
	}
	if r.IsIdentity() {
		return false
	}
	affine := vartime.Affine(r)[0]
	return !affine.YIsOdd() && affine.X() == p.r
}
