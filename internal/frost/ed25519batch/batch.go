// Package ed25519batch verifies Ed25519 signatures, many at once for half the price,
// with the verdict of verifying them one by one.
//
// A signature (R, s) of a message M under a key A is good if s is below the group order L,
// A and R are points in their canonical encoding, neither of small order, and
// s·B = R + k·A for k = SHA-512(R ‖ A ‖ M) mod L: RFC 8032, section 5.1.7, without the
// cofactor, as crypto/ed25519 has it, and verify_strict of ed25519-dalek, by which Solana
// judges. What a batch usually checks is the equation times 8, which takes R and A with any
// point of small order added: "Taming the many EdDSAs", Chalkias, Garillot and Nikolaenko,
// 2020. Here it is the equation itself, see [Verify].
//
// All of it is public data and variable time.
package ed25519batch

import (
	"bytes"
	"crypto/sha512"
	"io"

	"filippo.io/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	edwards "github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

// Signature is one of a batch: 32, any number of, and 64 bytes. Others are not good.
type Signature struct {
	PublicKey []byte
	Message   []byte
	Signature []byte
}

// worthwhile is from how many signatures on a batch costs less than one by one: the test for
// parts of small order is 64 multiplications by the group order, however many they are.
const worthwhile = 128

// Verify returns the indexes of the signatures that are not good, in order; nil if all are.
// Only if the batch is not good as a whole are they looked at one by one.
//
// With D = R + k·A - s·B of each signature, all have to be the identity. A point of the
// curve is the sum of one of order L or 1 and one of order 1, 2, 4 or 8, and so:
//
//   - 8 times the sum of z·D, with a random z of 128 bits for each, is the identity. Given all
//     other z, at most one value of z lets a signature pass whose D has a part of order L.
//   - R + (k mod 8)·A, which has the same part of small order as D, is in the prime-order
//     group ([edwards.TorsionFreeVartime]).
//
// Whoever made the signatures, a signer, a gateway or somebody on the way, can't know what is
// random here: it is drawn afterwards from random, a cryptographic source. A batch with one that
// is not good passes with a probability of 2^-64 + 2^-128.
//
// A signature whose R and A have parts of small order that cancel is good when it is verified
// alone, and so it is here.
func Verify(random io.Reader, batch []Signature) (bad []int) {
	if len(batch) >= worthwhile && allGood(random, batch) {
		return nil
	}
	for i := range batch {
		if !Good(&batch[i]) {
			bad = append(bad, i)
		}
	}
	return bad
}

// terms are what the two equations of a batch are made of.
type terms struct {
	scalars [][32]byte // of points
	points  []edwards.Affine

	nonces []edwards.Affine // R of each signature
	keys   []edwards.Affine // A of each
	small  []byte           // k mod 8 of each

	base *edwards25519.Scalar // the sum of z·s
	of   map[[32]byte]*weighed
}

// weighed is a key and the sum of z·k over its signatures.
type weighed struct {
	point  edwards.Affine
	scalar edwards25519.Scalar
}

func allGood(source io.Reader, batch []Signature) bool {
	n := len(batch)
	t := terms{
		scalars: make([][32]byte, 0, 2*n+1), points: make([]edwards.Affine, 0, 2*n+1),
		keys: make([]edwards.Affine, 0, n), small: make([]byte, 0, n),
		base: edwards25519.NewScalar(), of: make(map[[32]byte]*weighed, n),
	}
	random := make([]byte, 16*n)
	if _, err := io.ReadFull(source, random); err != nil {
		return false
	}
	if !t.decode(batch) {
		return false
	}
	for i := range batch {
		if !t.add(&batch[i], random[16*i:][:16]) {
			return false
		}
	}
	for _, key := range t.of {
		t.scalars = append(t.scalars, [32]byte(key.scalar.Bytes()))
		t.points = append(t.points, key.point)
	}
	t.scalars = append(t.scalars, [32]byte(t.base.Negate(t.base).Bytes()))
	t.points = append(t.points, generator)
	if !edwards.SumIsSmallVartime(t.scalars, t.points) {
		return false
	}
	edwards.AddSmallMultsVartime(t.nonces, t.keys, t.small)
	return edwards.TorsionFreeVartime(source, t.nonces)
}

var generator = edwards.GeneratorAffine()

// decode reads the nonces of all signatures and each key, once. It returns false if one of them is
// not good: a point of small order is in no good signature.
func (t *terms) decode(batch []Signature) bool {
	encoded := make([]byte, 0, 2*32*len(batch))
	for i := range batch {
		if len(batch[i].PublicKey) != 32 || len(batch[i].Signature) != 64 {
			return false
		}
		encoded = append(encoded, batch[i].Signature[:32]...)
	}
	keys := make([]*weighed, 0, len(batch))
	for i := range batch {
		key := [32]byte(batch[i].PublicKey)
		if t.of[key] == nil {
			t.of[key] = new(weighed)
			keys, encoded = append(keys, t.of[key]), append(encoded, key[:]...)
		}
	}
	points := make([]edwards.Affine, len(encoded)/32)
	if edwards.DecodeAffines(points, encoded) >= 0 {
		return false
	}
	for i := range points {
		if points[i].IsSmall() {
			return false
		}
	}
	t.nonces = points[:len(batch):len(batch)]
	for i, key := range keys {
		key.point = points[len(batch)+i]
	}
	return true
}

// add takes a signature, decoded, with its z. It returns false if it is not good or needs a closer
// look.
func (t *terms) add(sig *Signature, random []byte) bool {
	key, nonce := t.of[[32]byte(sig.PublicKey)], t.nonces[len(t.keys)]
	var s, k, z edwards25519.Scalar
	if _, err := s.SetCanonicalBytes(sig.Signature[32:]); err != nil {
		return false
	}
	wide := challenge(sig)
	if _, err := k.SetUniformBytes(wide[:]); err != nil {
		return false // of another length than 64
	}
	var weight [32]byte
	copy(weight[:], random)
	if _, err := z.SetCanonicalBytes(weight[:]); err != nil {
		return false // not below 2^128
	}
	t.scalars, t.points = append(t.scalars, weight), append(t.points, nonce)
	t.keys, t.small = append(t.keys, key.point), append(t.small, k.Bytes()[0]&7)
	t.base.MultiplyAdd(&z, &s, t.base)
	key.scalar.MultiplyAdd(&z, &k, &key.scalar)
	return true
}

// challenge is the hash that is k.
func challenge(sig *Signature) (sum [64]byte) {
	h := sha512.New()
	h.Write(sig.Signature[:32])
	h.Write(sig.PublicKey)
	h.Write(sig.Message)
	h.Sum(sum[:0])
	return sum
}

// Good verifies one signature: in curve25519-voi, which shares no code with crypto/ed25519.
func Good(sig *Signature) bool {
	if len(sig.PublicKey) != 32 || len(sig.Signature) != 64 {
		return false
	}
	key, nonce := point(sig.PublicKey), point(sig.Signature[:32])
	if key == nil || nonce == nil {
		return false
	}
	s, err := scalar.NewFromCanonicalBytes(sig.Signature[32:])
	if err != nil {
		return false
	}
	wide := challenge(sig)
	k, err := scalar.NewFromBytesModOrderWide(wide[:])
	if err != nil {
		return false // of another length than 64
	}
	r := curve.NewEdwardsPoint().DoubleScalarMulBasepointVartime(k, key.Neg(key), s)
	encoded := edwards.Encode(r)
	return bytes.Equal(encoded[:], sig.Signature[:32])
}

// point reads a point in its canonical encoding that is not of small order; nil if it is none.
func point(b []byte) *curve.EdwardsPoint {
	p, err := edwards.DecodeAny(b)
	if err != nil || p.IsSmallOrder() {
		return nil
	}
	return p
}
