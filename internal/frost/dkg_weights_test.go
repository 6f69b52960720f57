package frost

import (
	"bytes"
	"slices"
	"testing"
)

// The batch checks of key generation are worth what their weights are. A liar who
// knows them chooses errors that cancel out, as these tests do.

// opened is a session of the fleet's deals, for one group.
func opened[S, P any](t *testing.T, g group[S, P], f *fleet) *session[S, P] {
	t.Helper()
	s, err := newSession(g, f.generation(), f.deals)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drawn are the first weights of a node's check.
func drawn[S, P any](s *session[S, P], host *[32]byte, count int) (weights []*S) {
	w := s.weights(victim, host)
	for range count {
		weights = append(weights, s.weight(w))
	}
	return weights
}

// The dealer knows all weights that would be drawn for its honest deal, and shifts
// two shares of its victim by them: it must not get through, as other shares have
// other weights.
func TestDealerWhoKnowsTheWeights(t *testing.T) {
	t.Run(Secp256k1TR.String(), func(t *testing.T) { testDealerWhoKnows(t, secpGroup{}, Secp256k1TR) })
	t.Run(Ed25519.String(), func(t *testing.T) { testDealerWhoKnows(t, edwardsGroup{}, Ed25519) })
}

func testDealerWhoKnows[S, P any](t *testing.T, g group[S, P], suite Suite) {
	f := newFleet(t, suite, 2, 3, 2)
	proofs := f.N * f.K
	w := drawn(opened(t, g, f), f.hosts[victim], proofs+f.K)
	for name, weights := range map[string][]*S{"with proofs": w[proofs:], "without": w[:f.K]} {
		d := f.deal(t, liar)
		f.deals[liar] = d
		plain := f.openAll(t, d)
		shift := func(b []byte, by *S) {
			var share S
			if err := g.decodeScalar(&share, b); err != nil {
				t.Fatal(err)
			}
			g.add(&share, &share, by)
			copy(b, g.appendScalar(nil, &share))
		}
		opposite := *weights[0]
		g.mul(&opposite, &opposite, minusOne(g))
		shift(plain[victim][:32], weights[1])
		shift(plain[victim][32:], &opposite)
		f.sealAll(t, d, plain)
		var err error
		if name == "with proofs" {
			_, err = Finalize(f.Params, victim, f.hosts[victim], f.deals)
		} else {
			_, err = Recover(f.Params, victim, f.hosts[victim], f.deals)
		}
		t.Run(name, func(t *testing.T) { wantBlame(t, err, CodeShare) })
	}
}

// All that dealers know together does not give a node's weights.
func TestDealersCannotComputeWeights(t *testing.T) {
	f := newFleet(t, Ed25519, 2, 3, 2)
	s := opened(t, edwardsGroup{}, f)
	encode := func(host *[32]byte) []byte { return edwardsGroup{}.appendScalar(nil, drawn(s, host, 1)[0]) }
	guess := *f.hosts[victim]
	guess[31] ^= 1
	if bytes.Equal(encode(f.hosts[victim]), encode(&guess)) {
		t.Error("another host key draws the same weights: whoever saw the deals can compute them")
	}
	if !bytes.Equal(encode(f.hosts[victim]), encode(f.hosts[victim])) {
		t.Error("the weights of one check differ")
	}
}

// A weight has 128 bits, all of which are used.
func TestWeightsAreWide(t *testing.T) {
	f := newFleet(t, Ed25519, 2, 3, 2)
	var used [32]byte
	for _, w := range drawn(opened(t, edwardsGroup{}, f), f.hosts[victim], 100) {
		for i, b := range (edwardsGroup{}).appendScalar(nil, w) { // little-endian
			used[i] |= b
		}
	}
	if !slices.Equal(used[:], append(bytes.Repeat([]byte{255}, 16), make([]byte, 16)...)) {
		t.Errorf("bits that are ever set in 100 weights: %x", used)
	}
}
