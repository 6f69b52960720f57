package derive

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// A cache gives what there is without it, whatever its size and what it holds.
func TestCache(t *testing.T) {
	for _, size := range []int{0, 1, 3, 1000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := NewCache(size)
			var done sync.WaitGroup
			for range 4 {
				done.Go(func() {
					for _, root := range roots(t) {
						other := root
						other.ChainCode[31] ^= 1
						for _, k := range []Key{root, other} {
							var of []Descendant
							for _, path := range []Path{nil, {7}, {0, 7}, {1, 7}, {0, 1, 7}, {0, 8}} {
								got, err := c.Offsets(k, path)
								want, _ := k.Offsets(path)
								if err != nil || !slices.Equal(got, want) {
									t.Errorf("%s, %s: %x, %v; want %x", k.Suite, path, got, err, want)
								}
								of = append(of, Descendant{k, path})
							}
							keys, offsets, _ := c.children(of)
							for i, d := range of {
								want, _ := k.Child(d.Path)
								steps, _ := k.Offsets(d.Path)
								if !bytes.Equal(keys[i], want.PublicKey) || !slices.Equal(offsets[i], steps) {
									t.Errorf("%s, %s: %x, %x", k.Suite, d.Path, keys[i], offsets[i])
								}
							}
						}
					}
				})
			}
			done.Wait()
			if len(c.held) > size || size == 1000 && len(c.held) != 2*2*4 { // parents "", 0, 1 and 0/1
				t.Errorf("%d branches are held", len(c.held))
			}
		})
	}
}

func TestCacheHoldsNoErrors(t *testing.T) {
	c := NewCache(10)
	for _, root := range roots(t) {
		short := root
		short.PublicKey = root.PublicKey[1:]
		for _, bad := range []struct {
			root Key
			path Path
			want error
		}{
			{root, Path{MaxIndex + 1, 0}, ErrIndex},
			{root, make(Path, MaxDepth+2), ErrTooDeep},
			{short, Path{0, 1}, ErrKey},
		} {
			if _, err := c.Offsets(bad.root, bad.path); !errors.Is(err, bad.want) {
				t.Errorf("%s, %s: %v", root.Suite, bad.path, err)
			}
		}
	}
	if len(c.held) != 0 {
		t.Errorf("%d branches are held", len(c.held))
	}
}

// Keys that differ in one thing are held apart.
func TestCacheKeys(t *testing.T) {
	one := roots(t)[0]
	seen := map[branchID]bool{}
	for _, k := range []Key{
		one, {frost.Ed25519, one.PublicKey, one.ChainCode}, {one.Suite, one.PublicKey[:32], one.ChainCode},
		{one.Suite, one.PublicKey, [32]byte{1}}, {one.Suite, append([]byte{one.PublicKey[0] ^ 1}, one.PublicKey[1:]...), one.ChainCode},
	} {
		for _, path := range []Path{nil, {0}, {1}, {0, 0}, {0, 1}, {256}} {
			id, ok := k.id(path)
			if !ok {
				t.Errorf("%v, %s: no id", k, path)
			}
			seen[id] = true
		}
	}
	if len(seen) != 5*6 {
		t.Errorf("%d ids of 30", len(seen))
	}
}
