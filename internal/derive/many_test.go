package derive

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// Descendants of many roots at once are those that each alone is, and one that there is
// not spoils no other.
func TestMany(t *testing.T) {
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
		rand.Shuffle(len(of), func(i, j int) { of[i], of[j], want[i], want[j] = of[j], of[i], want[j], want[i] })
		cache := NewCache(2)
		keys, offsets, errs := cache.children(of)
		keysAlone, keyErrs := cache.PublicKeys(of)
		offsetsAlone, offsetErrs := cache.AllOffsets(of)
		for i, d := range of {
			child, _ := d.Root.Child(d.Path)
			steps, _ := d.Root.Offsets(d.Path)
			if want[i] != nil {
				steps = nil
			}
			for _, err := range []error{errs[i], keyErrs[i], offsetErrs[i]} {
				if !errors.Is(err, want[i]) {
					t.Errorf("%s, %s: %v, want %v", d.Root.Suite, d.Path, err, want[i])
				}
			}
			for _, key := range [][]byte{keys[i], keysAlone[i]} {
				if !bytes.Equal(key, child.PublicKey) {
					t.Errorf("%s, %s: %x, want %x", d.Root.Suite, d.Path, key, child.PublicKey)
				}
			}
			for _, found := range [][][32]byte{offsets[i], offsetsAlone[i]} {
				if !slices.Equal(found, steps) {
					t.Errorf("%s, %s: offsets %x, want %x", d.Root.Suite, d.Path, found, steps)
				}
			}
		}
	}
}

// children is PublicKeys and AllOffsets in one pass.
func (c *Cache) children(of []Descendant) (keys [][]byte, offsets [][][32]byte, errs []error) {
	d := c.descend(of)
	return d.keys(), d.offsets(), d.errs
}
