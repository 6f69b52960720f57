package bip340

import (
	"encoding/binary"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// Signature is one entry of a batch: 32, any number of, and 64 bytes.
type Signature struct {
	PublicKey []byte
	Message   []byte
	Signature []byte
}

var batchTag = NewTag("frostfleet/bip340/batch/v1")

// BatchVerify gives the indexes of the signatures that are not valid, in
// order, or nil if all are. The good case costs one multi-scalar
// multiplication; only when that fails are the signatures checked one by one.
//
// The weights come from a hash over all inputs, as BIP 340 recommends: whoever
// made the signatures fixed them before the weights, so that a batch with a
// bad signature passes with a probability of 2^-127.
func BatchVerify(batch []Signature) []int {
	var bad []int
	good := make([]*parsed, 0, len(batch))
	for i := range batch {
		p, ok := parse(&batch[i])
		if !ok {
			bad = append(bad, i)
			continue
		}
		good = append(good, p)
	}
	if equationHolds(good) {
		return bad
	}
	bad = bad[:0]
	for i, s := range batch {
		if !Verify(s.PublicKey, s.Message, s.Signature) {
			bad = append(bad, i)
		}
	}
	return bad
}

// equationHolds checks the batch equation. BIP 340, Batch Verification.
func equationHolds(batch []*parsed) bool {
	switch len(batch) {
	case 0:
		return true
	case 1:
		return batch[0].valid()
	}
	weights := newWeights(batch)
	sumS := secp.NewScalar()
	as := make([]*secp.Scalar, len(batch)) // short, which makes their sum cheaper
	rs := make([]*secp.Point, len(batch))
	scalars := make([]*secp.Scalar, 0, len(batch)+1)
	points := make([]*secp.Point, 0, len(batch)+1)
	for i, p := range batch {
		r, ok := liftX(&p.r)
		if !ok {
			return false
		}
		a := weights.At(i)
		sumS.Add(sumS, secp.NewScalar().Multiply(a, p.s))
		as[i], rs[i] = a, r
		scalars = append(scalars, secp.NewScalar().Multiply(a, p.e))
		points = append(points, p.key)
	}
	scalars = append(scalars, sumS.Negate(sumS))
	points = append(points, secp.NewGeneratorPoint())
	return WeightedSumVartime(as, rs, scalars, points).IsIdentity() == 1
}

// WeightedSumVartime gives the sum of weights[i]·at[i] and scalars[j]·points[j].
// Public data only. Many points go into two sums, as one over weights alone,
// which are short, is the cheaper; few share the doublings of one.
func WeightedSumVartime(weights []*secp.Scalar, at []*secp.Point, scalars []*secp.Scalar, points []*secp.Point) *secp.Point {
	const few = 32
	if len(weights) < few {
		return secp256k1.MultiScalarMultVartime(slices.Concat(weights, scalars), slices.Concat(at, points))
	}
	sum := secp256k1.MultiScalarMultVartime(weights, at)
	return sum.Add(sum, secp256k1.MultiScalarMultVartime(scalars, points))
}

// newWeights hashes the whole batch. The challenge stands for the message.
func newWeights(batch []*parsed) *Weights {
	parts := make([][]byte, 0, 4*len(batch))
	for _, p := range batch {
		parts = append(parts, p.x[:], p.r[:], p.s.Bytes(), p.e.Bytes())
	}
	return NewWeights(batchTag.Hash(parts...))
}

// Weights is a sequence of odd scalars of 128 bits, the first of them
// one, that a seed determines and nothing but the seed foretells. A seed is a
// hash over all that a batch equation is about.
type Weights struct{ seed [32]byte }

var weightTag = NewTag("frostfleet/batch/weight/v1")

// NewWeights gives the sequence of this seed.
func NewWeights(seed [32]byte) *Weights { return &Weights{seed} }

// At gives the weight of index i. One equation of a batch may go without a
// random weight, so the first is 1.
func (w *Weights) At(i int) *secp.Scalar {
	if i == 0 {
		return secp.NewScalar().One()
	}
	var b [32]byte
	h := weightTag.Hash(w.seed[:], binary.BigEndian.AppendUint64(nil, uint64(i)))
	copy(b[16:], h[:16])
	b[31] |= 1 // rules out zero for one bit of the 128
	a, _ := secp.NewScalarFromBytes(&b)
	return a
}
