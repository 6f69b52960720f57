package bip445

import (
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"

	"github.com/frostfleet/frostfleet/internal/frost/bip340"
)

// Whoever knows the weights of the true claims shifts two of them so that the errors
// cancel out: other claims have other weights.
func TestLiarWhoKnowsTheWeights(t *testing.T) {
	all := claims(t, 2)
	weights := bip340.Weights(hashClaims(all))
	all[1].Sig = secp.NewScalar().Add(all[1].Sig, weights.At(2))
	all[2].Sig = secp.NewScalar().Subtract(all[2].Sig, weights.At(1))
	if VerifyBatch(all) {
		t.Error("two false claims hold together")
	}
}
