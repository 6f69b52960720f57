package frost

import (
	"bytes"
	"fmt"
)

// OutputKeys returns, for each item, the key that its signature verifies with, offsets
// and tweak applied: 32 bytes, x-only for secp256k1-tr. The items are those of one
// batch, which cost less together.
func OutputKeys(items []Item) ([][]byte, error) {
	if err := validateItems(items); err != nil {
		return nil, err
	}
	out := make([][]byte, len(items))
	if items[0].Key.Suite == Ed25519 {
		for i := range items {
			var err error
			if out[i], err = edwardsOutputKey(&items[i]); err != nil {
				return nil, fmt.Errorf("item %d: %w", i, err)
			}
		}
		return out, nil
	}
	keys, errs := openSecpKeys(items)
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		x := keys[i].tweak.XOnly()
		out[i] = x[:]
	}
	return out, nil
}

func edwardsOutputKey(it *Item) ([]byte, error) {
	if len(it.Offsets) == 0 {
		return bytes.Clone(it.Key.PublicKey), nil
	}
	alone := *it.Key // the commitments to the shares have no part in it
	alone.N, alone.T, alone.VSSCommitment = 1, 1, it.Key.PublicKey
	key, err := openEd25519Key(&Item{Key: &alone, Offsets: it.Offsets})
	if err != nil {
		return nil, err
	}
	return bytes.Clone(key.Public()), nil
}
