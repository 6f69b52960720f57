package rfc9591

import (
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

// Whoever knows the weights of the true claims shifts two of them so that the errors
// cancel out: other claims have other weights.
func TestLiarWhoKnowsTheWeights(t *testing.T) {
	var claims []Claim
	for i := range 3 {
		key, shares := deal(t, 3, 2)
		session, nonces := begin(t, key, shares, []byte{byte(i)})
		share, err := session.Sign(nonces[0], shares[1], 1)
		if err != nil {
			t.Fatal(err)
		}
		claims = append(claims, Claim{session, 1, share})
	}
	seed := hashClaims(claims)
	up, down := mustScalar(t, claims[1].Share), mustScalar(t, claims[2].Share)
	first := edwards25519.EncodeScalar(up.Add(up, weight(&seed, 2)))
	second := edwards25519.EncodeScalar(down.Sub(down, weight(&seed, 1)))
	claims[1].Share, claims[2].Share = first[:], second[:]
	if VerifyBatch(claims) {
		t.Error("two false claims hold together")
	}
}
