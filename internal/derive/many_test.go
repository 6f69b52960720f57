package derive

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// Descendants of many roots at once are those that each alone is, and one that there is
// not spoils no other.
func TestPublicKeysOfMany(t *testing.T) {
	short := roots(t)[0]
	short.PublicKey = short.PublicKey[1:]
	for _, count := range []int{0, 1, 3, 200} { // alone, and on shared inversions
		var of []Descendant
		var want []error
		for i := range count {
			root := roots(t)[rand.IntN(2)]
			root.ChainCode[0] ^= byte(i % 3)
			path := make(Path, rand.IntN(MaxDepth+1))
			for j := range path {
				path[j] = rand.Uint32() & MaxIndex
			}
			of, want = append(of, Descendant{root, path}), append(want, nil)
		}
		for root, path := range map[*Key]Path{&roots(t)[0]: {MaxIndex + 1}, &roots(t)[1]: {0, MaxIndex + 1}} {
			of, want = append(of, Descendant{*root, path}), append(want, ErrIndex)
			of, want = append(of, Descendant{*root, make(Path, MaxDepth+1)}), append(want, ErrTooDeep)
			of, want = append(of, Descendant{*root, Path{MaxIndex}}), append(want, nil)
		}
		of, want = append(of, Descendant{short, Path{0, 1}}), append(want, ErrKey)
		keys, errs := NewCache(2).PublicKeys(of)
		for i, d := range of {
			child, _ := d.Root.Child(d.Path)
			if !errors.Is(errs[i], want[i]) || !bytes.Equal(keys[i], child.PublicKey) {
				t.Errorf("%s, %s: %x, %v; want %x, %v", d.Root.Suite, d.Path, keys[i], errs[i], child.PublicKey, want[i])
			}
		}
	}
}
