package bip445

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// SignerSet is a valid set of signers, with what depends on their ids alone. It
// serves every key and message that these signers sign together.
type SignerSet struct {
	ids     []int
	lambdas []func() *Scalar // interpolating values in the order of ids, each computed when first needed
	sorted  []byte           // SerializeIds: their count, then each ascending, 4 bytes each
}

// NewSignerSet validates ids, t ≤ len(ids) ≤ n distinct numbers below n.
func NewSignerSet(n, t int, ids []int) (*SignerSet, error) {
	if t < 1 || t > n || n > MaxParticipants {
		return nil, BadThreshold
	}
	if len(ids) < t || len(ids) > n {
		return nil, BadSignerCount
	}
	for i, id := range ids {
		if id < 0 || id >= n {
			return nil, fmt.Errorf("%w (position %d)", BadID, i)
		}
	}
	ascending := slices.Sorted(slices.Values(ids))
	if len(slices.Compact(slices.Clone(ascending))) != len(ids) {
		return nil, DuplicateID
	}
	s := &SignerSet{ids: slices.Clone(ids), sorted: binary.BigEndian.AppendUint32(nil, uint32(len(ids)))}
	for _, id := range ascending {
		s.sorted = binary.BigEndian.AppendUint32(s.sorted, uint32(id))
	}
	for _, id := range s.ids {
		s.lambdas = append(s.lambdas, sync.OnceValue(func() *Scalar { return InterpolatingValue(s.ids, id) }))
	}
	return s, nil
}

// InterpolatingValue returns the Lagrange coefficient at 0 of one of ids, which are
// distinct. BIP 445, DeriveInterpolatingValue.
func InterpolatingValue(ids []int, my int) *Scalar {
	num, den := secp.NewScalar().One(), secp.NewScalar().One()
	minusX := secp.NewScalar().Negate(secp.NewScalarFromUint64(uint64(my) + 1))
	for _, id := range ids {
		if id != my {
			x := secp.NewScalarFromUint64(uint64(id) + 1)
			num.Multiply(num, x)
			den.Multiply(den, x.Add(x, minusX))
		}
	}
	return num.Multiply(num, den.Invert(den))
}

// Position returns the index of id in the list that the set was made from.
func (s *SignerSet) Position(id int) (int, bool) {
	i := slices.Index(s.ids, id)
	return i, i >= 0
}
