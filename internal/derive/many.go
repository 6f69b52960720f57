package derive

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// Descendant is a key below a root.
type Descendant struct {
	Root Key
	Path Path
}

// PublicKeys returns the public keys of descendants of any roots, in their order, or an
// error in that place. Many at once cost a third each.
func (c *Cache) PublicKeys(of []Descendant) ([][]byte, []error) {
	d := c.descend(of)
	return d.keys(), d.errs
}

// AllOffsets returns their offsets, of which [Key.Offsets] says more; of a descendant that
// is its root there are none. It does not compute the keys, so whether they are some shows
// when they sign.
func (c *Cache) AllOffsets(of []Descendant) ([][][32]byte, []error) {
	d := c.descend(of)
	return d.offsets(), d.errs
}

// descent is what there is of descendants before their keys are computed.
type descent struct {
	of      []Descendant
	parents []*Branch  // nil: it is the root itself, or there is an error
	last    [][32]byte // what the last step adds
	errs    []error
}

func (c *Cache) descend(of []Descendant) *descent {
	n := len(of)
	d := &descent{of: of, parents: make([]*Branch, n), last: make([][32]byte, n), errs: make([]error, n)}
	h, f := newHasher(), finder{cache: c}
	for i := range of {
		if len(of[i].Path) == 0 {
			continue
		}
		b, err := f.parent(&of[i])
		last := of[i].Path[len(of[i].Path)-1]
		if err == nil {
			err = b.reach(last, 1)
		}
		if err == nil {
			d.last[i], err = b.node.offset(h, last)
		}
		if d.errs[i] = err; err == nil {
			d.parents[i] = b
		}
	}
	return d
}

// finder finds the parents of descendants. Those of one parent come together, mostly.
type finder struct {
	cache  *Cache
	of     *Descendant // the latest, whose parent is
	branch *Branch
	err    error
}

func (f *finder) parent(d *Descendant) (*Branch, error) {
	path := d.Path[:len(d.Path)-1]
	if f.of == nil || !slices.Equal(path, f.of.Path[:len(f.of.Path)-1]) || !d.Root.equal(&f.of.Root) {
		f.branch, f.err = f.cache.Branch(d.Root, path)
		f.of = d
	}
	return f.branch, f.err
}

func (k *Key) equal(other *Key) bool {
	return k.Suite == other.Suite && k.ChainCode == other.ChainCode && bytes.Equal(k.PublicKey, other.PublicKey)
}

// offsets returns the offsets of each.
func (d *descent) offsets() [][][32]byte {
	steps := 0
	for i, b := range d.parents {
		if b != nil {
			steps += len(d.of[i].Path)
		}
	}
	out, all := make([][][32]byte, len(d.of)), make([][32]byte, 0, steps)
	for i, b := range d.parents {
		if b != nil {
			at := len(all)
			all = append(append(all, b.offsets...), d.last[i])
			out[i] = all[at:len(all):len(all)]
		}
	}
	return out
}

// keys returns the public key of each, or adds an error.
func (d *descent) keys() [][]byte {
	keys := make([][]byte, len(d.of))
	var points []edwards25519.Affine
	var scalars [][32]byte
	var at []int
	for i, b := range d.parents {
		if b == nil {
			if d.errs[i] == nil {
				keys[i] = d.of[i].Root.PublicKey
			}
		} else if n, ok := b.node.(*edwardsNode); ok {
			points, scalars, at = append(points, n.point), append(scalars, d.last[i]), append(at, i)
		}
	}
	edwards25519.AddBaseMultsVartime(points, scalars)
	d.take(keys, at, encoded(points))
	secp, at := d.secp()
	d.take(keys, at, compressed(secp))
	return keys
}

// secp returns the points of descendants of secp256k1 keys, other than roots, and which
// those are.
func (d *descent) secp() (points []vartime.Point, at []int) {
	s := newSecpSums(len(d.of))
	at = make([]int, 0, len(d.of))
	for i, b := range d.parents {
		if b == nil {
			continue
		}
		if n, ok := b.node.(*secpNode); ok {
			s.add(&n.point, &d.last[i])
			at = append(at, i)
		}
	}
	return s.sum(), at
}

// take puts keys where they belong, or an error for one that there is not.
func (d *descent) take(keys [][]byte, at []int, found [][]byte) {
	for j, i := range at {
		if keys[i] = found[j]; keys[i] == nil {
			d.errs[i] = fmt.Errorf("index %d: %w", d.of[i].Path[len(d.of[i].Path)-1], ErrInvalidChild)
			d.parents[i] = nil
		}
	}
}
