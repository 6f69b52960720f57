package bip340

import (
	"encoding/binary"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// Signature is one entry of a batch: 32, any number of, and 64 bytes. Key and
// Nonce may be nil. If set to the points with the x-coordinates in PublicKey and
// in Signature they save two square roots; the verdict does not depend on them.
type Signature struct {
	PublicKey []byte
	Message   []byte
	Signature []byte

	Key, Nonce *vartime.Point
}

var batchTag = NewTag("frostfleet/bip340/batch/v1")

// BatchVerify returns the indexes of the signatures that are not valid, in
// order, or nil if all are. The good case costs one multi-scalar
// multiplication; only when that fails are the signatures checked one by one.
//
// The weights come from a hash over all inputs, as BIP 340 recommends: the
// signatures were fixed before the weights, so a batch with a bad signature
// passes with probability 2^-127.
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
	weights := weightsOf(batch)
	sumS := secp.NewScalar()
	scalars := make([]*secp.Scalar, 0, 2*len(batch))
	points := make([]vartime.Point, 0, 2*len(batch))
	for i, p := range batch {
		r, ok := p.lift()
		if !ok {
			return false
		}
		a := weights.At(i)
		sumS.Add(sumS, secp.NewScalar().Multiply(a, p.s))
		scalars = append(scalars, a, secp.NewScalar().Multiply(a, p.e))
		points = append(points, r, p.key)
	}
	sum := vartime.MultiScalarMult(scalars, points)
	minusS := vartime.BaseMult(sumS.Negate(sumS))
	return sum.Add(&minusS).IsIdentity()
}

// weightsOf hashes the whole batch. The challenge represents the message.
func weightsOf(batch []*parsed) Weights {
	parts := make([][]byte, 0, 4*len(batch))
	for _, p := range batch {
		parts = append(parts, p.x[:], p.r[:], p.s.Bytes(), p.e.Bytes())
	}
	return batchTag.Hash(parts...)
}

// Weights is a sequence of odd scalars of 128 bits, the first of them
// one, determined by a seed and unpredictable without it. The seed is a hash over
// everything that a batch equation is about.
type Weights [32]byte

var weightTag = NewTag("frostfleet/batch/weight/v1")

// At returns the weight of index i. One equation of a batch may go without a
// random weight, so the first is 1.
func (w Weights) At(i int) *secp.Scalar {
	if i == 0 {
		return secp.NewScalar().One()
	}
	var b [32]byte
	h := weightTag.Hash(w[:], binary.BigEndian.AppendUint64(nil, uint64(i)))
	copy(b[16:], h[:16])
	b[31] |= 1 // rules out zero for one bit of the 128
	a, _ := secp.NewScalarFromBytes(&b)
	return a
}
