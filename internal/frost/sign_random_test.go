package frost

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// stuck is a random source that repeats itself.
type stuck struct{}

func (stuck) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// Two nonces of one value give the share away. RFC 9591 mixes nothing but the
// share into its nonces, so a source that repeats itself shows at once; BIP 445
// takes the item's place as well, so equal items get nonces of their own.
func TestRandomSourceThatRepeatsItself(t *testing.T) {
	items := newItems(t, Ed25519, 3, 2, 2)[0]
	if nonces, points, err := Commit(stuck{}, items); !errors.Is(err, ErrRandom) || nonces != nil || points != nil {
		t.Errorf("ed25519: committed with equal nonces: %v", err)
	}
	items = newItems(t, Secp256k1TR, 3, 2, 1)[0]
	same := []Item{items[0], items[0]}
	_, points, err := Commit(stuck{}, same)
	if err != nil {
		t.Fatal(err)
	}
	if size := Secp256k1TR.NonceSize(); bytes.Equal(points[:size], points[size:]) {
		t.Error("secp256k1-tr: equal items got equal nonces")
	}
	if _, _, err := Commit(io.LimitReader(stuck{}, 16), same); err == nil {
		t.Error("committed with half the randomness")
	}
}
