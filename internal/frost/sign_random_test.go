package frost

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// stuck is a random source that repeats itself.
type stuck struct{}

func (stuck) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// Two nonces of one value give the share away. A source that repeats itself within a
// batch is found out, as it can't be good for anything else either.
func TestRandomSourceThatRepeatsItself(t *testing.T) {
	for _, suite := range []Suite{Ed25519, Secp256k1TR} {
		items := newItems(t, suite, 3, 2, 2)[0]
		for name, batch := range map[string][]Item{"two": items, "the same twice": {items[0], items[0]}} {
			n, points, err := Commit(stuck{}, [32]byte{1}, form, batch)
			if !errors.Is(err, ErrRandom) || n != nil || points != nil {
				t.Errorf("%s, %s: committed with a source that is stuck: %v", suite, name, err)
			}
		}
		if _, _, err := Commit(io.LimitReader(stuck{}, 16), [32]byte{1}, form, items); err == nil {
			t.Errorf("%s: committed with half the randomness", suite)
		}
	}
}

// A machine whose memory was cloned before the draw has the same random source twice.
// Nonces of two sessions, of two places or of two messages differ all the same.
func TestClonedRandomSource(t *testing.T) {
	for _, suite := range []Suite{Ed25519, Secp256k1TR} {
		items := newItems(t, suite, 3, 2, 2)[0]
		other := items[0]
		other.Message = bytes.Clone(other.Message)
		other.Message[len(other.Message)-1] ^= 1
		commit := func(session byte, batch ...Item) []byte {
			t.Helper()
			_, points, err := Commit(rand.NewChaCha8([32]byte{7}), [32]byte{31: session}, form, batch)
			if err != nil {
				t.Fatal(err)
			}
			return points
		}
		size, seen := form.NonceSize(suite)/2, map[string]string{}
		for name, points := range map[string][]byte{
			"a session": commit(1, items[0]), "another session": commit(2, items[0]),
			"another message": commit(1, other), "another message and session": commit(2, other),
		} {
			for at := 0; at < len(points); at += size {
				point := string(points[at : at+size])
				if was, twice := seen[point]; twice {
					t.Errorf("%s: %s and %s have a nonce in common", suite, was, name)
				}
				seen[point] = name
			}
		}
		if !bytes.Equal(commit(1, items[0]), commit(1, items[0])) {
			t.Errorf("%s: the source is not the same twice: the test shows nothing", suite)
		}
		// The source of the second item, at the first place.
		source := rand.NewChaCha8([32]byte{7})
		first := commit(1, items[0], items[1])
		_, _ = source.Read(make([]byte, map[Suite]int{Secp256k1TR: freshSize, Ed25519: 2 * freshSize}[suite]))
		_, second, err := Commit(source, [32]byte{31: 1}, form, items[1:])
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(first[form.NonceSize(suite):], second) {
			t.Errorf("%s: the place does not count", suite)
		}
	}
}
