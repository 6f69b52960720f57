package bip340

import (
	"bytes"
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// The forger knows the weights of the good batch, and shifts two signatures by them:
// other signatures have other weights.
func TestForgerWhoKnowsTheWeights(t *testing.T) {
	batch := signed(t, 3)
	good := make([]*parsed, len(batch))
	for i := range batch {
		var ok bool
		if good[i], ok = parse(&batch[i]); !ok {
			t.Fatal("a valid signature does not parse")
		}
	}
	weights := weightsOf(good)
	for i, by := range map[int]*secp.Scalar{1: weights.At(2), 2: secp.NewScalar().Negate(weights.At(1))} {
		s := secp.NewScalar().Add(good[i].s, by)
		batch[i].Signature = append(bytes.Clone(good[i].r[:]), s.Bytes()...)
	}
	checkBad(t, batch, []int{1, 2})
}
