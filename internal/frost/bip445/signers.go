package bip445

import (
	"encoding/binary"
	"slices"
	"sync"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// SignerSet is a valid set of signers, with what depends on their ids alone. It
// serves every key and message that these signers sign together.
type SignerSet struct {
	ids     []int
	lambdas func() []*Scalar // interpolating values in the order of ids, computed when first needed
	sorted  []byte           // SerializeIds: their count, then each ascending, 4 bytes each
}

// NewSignerSet validates ids, t ≤ len(ids) ≤ n distinct numbers below n.
func NewSignerSet(n, t int, ids []int) (*SignerSet, error) {
	if t < 1 || t > n || n > MaxParticipants {
		return nil, invalid(BadThreshold)
	}
	if len(ids) < t || len(ids) > n {
		return nil, invalid(BadSignerCount)
	}
	for i, id := range ids {
		if id < 0 || id >= n {
			return nil, invalidAt(BadID, i)
		}
	}
	ascending := slices.Sorted(slices.Values(ids))
	if len(slices.Compact(slices.Clone(ascending))) != len(ids) {
		return nil, invalid(DuplicateID)
	}
	s := &SignerSet{ids: slices.Clone(ids), sorted: binary.BigEndian.AppendUint32(nil, uint32(len(ids)))}
	for _, id := range ascending {
		s.sorted = binary.BigEndian.AppendUint32(s.sorted, uint32(id))
	}
	s.lambdas = sync.OnceValue(func() []*Scalar { return interpolatingValues(s.ids) })
	return s, nil
}

// interpolatingValues returns the Lagrange coefficients at 0 of ids, which are
// distinct, with one inversion for all. BIP 445, DeriveInterpolatingValue.
func interpolatingValues(ids []int) []*Scalar {
	nums, dens := make([]*Scalar, len(ids)), make([]*Scalar, len(ids))
	before := make([]*Scalar, len(ids)) // the product of the denominators before each
	product := secp.NewScalar().One()
	for i, my := range ids {
		nums[i], dens[i] = secp.NewScalar().One(), secp.NewScalar().One()
		minusX := secp.NewScalar().Negate(secp.NewScalarFromUint64(uint64(my) + 1))
		for _, id := range ids {
			if id == my {
				continue
			}
			x := secp.NewScalarFromUint64(uint64(id) + 1)
			nums[i].Multiply(nums[i], x)
			dens[i].Multiply(dens[i], x.Add(x, minusX))
		}
		before[i] = secp.NewScalarFrom(product)
		product.Multiply(product, dens[i])
	}
	product.Invert(product)
	for i := len(ids) - 1; i >= 0; i-- {
		nums[i].Multiply(nums[i], before[i].Multiply(before[i], product))
		product.Multiply(product, dens[i])
	}
	return nums
}

// Position returns the index of id in the list that the set was made from.
func (s *SignerSet) Position(id int) (int, bool) {
	i := slices.Index(s.ids, id)
	return i, i >= 0
}
