package rfc9591

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Key is the public part of a key shared by n signers, t of whom sign.
type Key struct {
	n, t    uint16
	public  [32]byte
	encoded []byte              // commitments of the polynomial, constant term first
	first   edwards25519.Affine // the first of them
	offset  *Scalar             // public = first + offset·B; nil is 0
}

// NewKey takes the encoded public key and the t encoded commitments of a key
// from a key generation that checked them: that they are of prime order is not
// checked again. Only the first is decoded here: the others are for those who check
// signature shares ([Key.Pubshare]).
func NewKey(n, t int, publicKey, commitments []byte) (*Key, error) {
	keys, errs := NewKeys(n, t, [][]byte{publicKey}, [][]byte{commitments})
	return keys[0], errs[0]
}

// NewKeys is [NewKey] for many, which cost less at once: of each the key or an error.
func NewKeys(n, t int, publicKeys, commitments [][]byte) ([]*Key, []error) {
	keys, errs := make([]*Key, len(publicKeys)), make([]error, len(publicKeys))
	encoded, at := make([]byte, 0, 32*len(keys)), make([]int, 0, len(keys))
	for i := range keys {
		if keys[i], errs[i] = newKey(n, t, publicKeys[i], commitments[i]); errs[i] == nil {
			encoded, at = append(encoded, publicKeys[i]...), append(at, i)
		}
	}
	points := make([]edwards25519.Affine, len(at))
	for from := 0; from < len(at); { // those behind a bad one are good
		bad := edwards25519.DecodeAffines(points[from:], encoded[32*from:])
		if bad < 0 {
			break
		}
		points[from+bad] = edwards25519.Affine{}
		from += bad + 1
	}
	for j, i := range at {
		if keys[i].first = points[j]; points[j] == (edwards25519.Affine{}) || points[j].IsIdentity() {
			keys[i], errs[i] = nil, fmt.Errorf("key: public key: %w", edwards25519.ErrPoint)
		}
	}
	return keys, errs
}

// newKey is a key whose first commitment is not decoded.
func newKey(n, t int, publicKey, commitments []byte) (*Key, error) {
	if t < 1 || t > n || n > maxSigners {
		return nil, fmt.Errorf("key of %d of %d signers: want 1 ≤ t ≤ n ≤ %d", t, n, maxSigners)
	}
	if len(publicKey) != 32 || len(commitments) != 32*t {
		return nil, fmt.Errorf("key of %d signers: want a public key of 32 and commitments of %d bytes, not %d and %d",
			t, 32*t, len(publicKey), len(commitments))
	}
	if !bytes.Equal(publicKey, commitments[:32]) {
		return nil, errors.New("key: the public key is not the first commitment")
	}
	return &Key{n: uint16(n), t: uint16(t), public: [32]byte(publicKey), encoded: bytes.Clone(commitments)}, nil
}

// Children returns each key with public offsets added to it, or an error in that place;
// keys without offsets are left as they are, and nil ones skipped. Signatures of a child
// verify under the first commitment + (the sum of offsets)·B. Shares and their public
// shares stay those of the key; who aggregates adds what the offsets contribute. Offsets
// are canonical scalars of 32 bytes, public data: this is variable time. It is an error
// if a child is the identity.
func Children(keys []*Key, offsets [][][32]byte) ([]*Key, []error) {
	out, errs := slices.Clone(keys), make([]error, len(keys))
	var at []int
	var points []edwards25519.Affine
	var scalars [][32]byte
	for i, k := range keys {
		if k == nil || len(offsets[i]) == 0 {
			continue
		}
		out[i] = nil
		child := *k
		if child.offset, errs[i] = sumOffsets(offsets[i]); errs[i] != nil {
			continue
		}
		out[i] = &child
		at, points = append(at, i), append(points, k.first)
		scalars = append(scalars, edwards25519.EncodeScalar(child.offset))
	}
	edwards25519.AddBaseMultsVartime(points, scalars)
	for j, i := range at {
		if points[j].IsIdentity() {
			out[i], errs[i] = nil, ErrChild
		} else {
			out[i].public = points[j].Encode()
		}
	}
	return out, errs
}

func sumOffsets(offsets [][32]byte) (*Scalar, error) {
	total := scalar.New()
	for i := range offsets {
		t, err := edwards25519.DecodeScalar(offsets[i][:])
		if err != nil {
			return nil, fmt.Errorf("offset %d: %w", i, err)
		}
		total.Add(total, t)
	}
	return total, nil
}

// Public returns the encoded key that signatures verify under.
func (k *Key) Public() []byte { return k.public[:] }

// Pubshare returns the public share f(id)·B, or an error if a commitment is no point. It decodes
// all but the first, which is most of its cost.
func (k *Key) Pubshare(id uint16) (*Point, error) {
	shares, err := pubshares([]*Key{k}, []uint16{id})
	if err != nil {
		return nil, err
	}
	return &shares[0], nil
}

// pubshares are those of many keys, each of one identifier, which cost less at once.
func pubshares(keys []*Key, ids []uint16) ([]Point, error) {
	var encoded []byte
	for _, k := range keys {
		encoded = append(encoded, k.encoded[32:]...)
	}
	decoded := make([]Point, len(encoded)/32)
	if edwards25519.DecodeTrustedAll(decoded, encoded) >= 0 {
		return nil, fmt.Errorf("key: commitment: %w", edwards25519.ErrPoint)
	}
	out := make([]Point, len(keys))
	commitments := make([]*Point, 0, maxSigners)
	for i, k := range keys {
		edwards25519.SetAffine(&out[i], &k.first)
		commitments = append(commitments[:0], &out[i])
		for j := range k.t - 1 {
			commitments = append(commitments, &decoded[j])
		}
		decoded = decoded[k.t-1:]
		out[i].Set(edwards25519.EvaluateAt(commitments, uint32(ids[i])))
	}
	return out, nil
}

// SignerSet is t distinct identifiers, ascending, and what follows from them.
type SignerSet struct {
	ids     []uint16
	lambdas []func() *Scalar // each computed when first needed
}

// NewSignerSet takes exactly t ascending identifiers in 1..n.
func NewSignerSet(n, t int, ids []uint16) (*SignerSet, error) {
	if len(ids) != t {
		return nil, fmt.Errorf("set of %d signers: want exactly %d", len(ids), t)
	}
	last := uint16(0)
	for _, id := range ids {
		if id <= last || int(id) > n {
			return nil, fmt.Errorf("set of signers: identifier %d: want distinct ones from 1 to %d, ascending", id, n)
		}
		last = id
	}
	s := &SignerSet{ids: slices.Clone(ids)}
	for _, id := range ids {
		s.lambdas = append(s.lambdas, sync.OnceValue(func() *Scalar { return InterpolatingValue(s.ids, id) }))
	}
	return s, nil
}

// InterpolatingValue is RFC 9591's derive_interpolating_value.
func InterpolatingValue(ids []uint16, my uint16) *Scalar {
	num, den := scalarOf(1), scalarOf(1)
	x := scalarOf(my)
	for _, id := range ids {
		if id == my {
			continue
		}
		xj := scalarOf(id)
		num.Mul(num, xj)
		den.Mul(den, xj.Sub(xj, x))
	}
	return num.Mul(num, den.Invert(den))
}

// Position returns the index of id in the set.
func (s *SignerSet) Position(id uint16) (int, bool) {
	return slices.BinarySearch(s.ids, id)
}
