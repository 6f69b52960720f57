package frost

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// ReconstructPrivateKeys makes private keys of the shares of t nodes, which ends all
// that the fleet is for: whoever has the result signs alone. It is for the ceremony
// of leaving the product, on a machine without a network, and no program of a running
// fleet calls it.
//
// Shares[i] holds the share of each key that node indices[i] has, 32 bytes a key; all
// are of one generation. Indices are exactly t distinct ones of n. The result has 32
// bytes a key, a scalar in the suite's encoding, each of the public key in its place
// (33 or 32 bytes).
func ReconstructPrivateKeys(
	s Suite, n, t int, publicKeys [][]byte, indices []int, shares []*secret.Bytes,
) (*secret.Bytes, error) {
	switch {
	case !s.Valid():
		return nil, fmt.Errorf("reconstruction: unknown %v", s)
	case t < 1 || t > n || n > MaxNodes:
		return nil, fmt.Errorf("reconstruction: %d of %d: want 1 <= t <= n <= %d", t, n, MaxNodes)
	case len(publicKeys) < 1:
		return nil, errors.New("reconstruction: no keys")
	case len(indices) != t || len(shares) != t:
		return nil, fmt.Errorf("reconstruction: %d nodes with %d shares: want exactly %d", len(indices), len(shares), t)
	}
	seen := make([]bool, n)
	for i, index := range indices {
		switch {
		case index < 0 || index >= n:
			return nil, fmt.Errorf("reconstruction: node %d is not one of %d", index, n)
		case seen[index]:
			return nil, fmt.Errorf("reconstruction: node %d is there twice", index)
		case len(shares[i].Expose()) != len(publicKeys)*ScalarSize:
			return nil, fmt.Errorf("reconstruction: node %d has shares of %d bytes for %d keys, want %d",
				index, len(shares[i].Expose()), len(publicKeys), len(publicKeys)*ScalarSize)
		}
		seen[index] = true
	}
	if s == Secp256k1TR {
		return reconstruct(secpGroup{}, publicKeys, indices, shares)
	}
	return reconstruct(edwardsGroup{}, publicKeys, indices, shares)
}

// reconstruct is ReconstructPrivateKeys for one group. It interpolates at zero, in
// constant time.
func reconstruct[S, P any](
	g group[S, P], publicKeys [][]byte, indices []int, shares []*secret.Bytes,
) (*secret.Bytes, error) {
	sums := make([]S, len(publicKeys)+1) // the last one is a term
	defer clear(sums)
	term := &sums[len(publicKeys)]
	for i, index := range indices {
		lambda := g.interpolatingValue(indices, index)
		for key := range publicKeys {
			if err := g.decodeScalar(term, shares[i].Expose()[key*ScalarSize:][:ScalarSize]); err != nil {
				return nil, fmt.Errorf("reconstruction: node %d's share of key %d is no scalar: %w", index, key, err)
			}
			g.mul(term, term, lambda)
			g.add(&sums[key], &sums[key], term)
		}
	}
	encoded := make([]byte, 0, len(publicKeys)*ScalarSize)
	for key, public := range publicKeys {
		p := g.baseMult(&sums[key])
		if g.isIdentity(p) || !bytes.Equal(g.publicKey(g.appendPoint(nil, p)), public) {
			clear(encoded)
			return nil, fmt.Errorf("reconstruction: the shares of key %d do not make its private key: "+
				"they must be of one generation, each with the index of its node", key)
		}
		encoded = g.appendScalar(encoded, &sums[key])
	}
	return secret.New(encoded), nil
}
