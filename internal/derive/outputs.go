package derive

import (
	"bytes"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// Internal is what is said of a key: which it is, and what makes a taproot output of it.
type Internal struct {
	Key   []byte // x-only, 32 bytes
	Tweak frost.Tweak
}

// Outputs returns the output keys (x-only, 32 bytes; BIP 341, taproot_tweak_pubkey) and the
// offsets of descendants of any roots, in their order, as far as they are the internal keys
// that is said of them. Where one is another key, of another suite, or none, there is no
// output key. It is [Cache.Children] and then frost.OutputKey for many at once, and takes no
// square root: the points are there.
func (c *Cache) Outputs(of []Descendant, said []Internal) (outputs [][]byte, offsets [][][32]byte) {
	d := c.descend(of)
	points, at := d.secp()
	points, at = c.roots(of, points, at)
	s, made := newSecpSums(len(points)), at[:0]
	for j, i := range at {
		p := &points[j]
		if x := p.X(); !p.IsIdentity() && bytes.Equal(x[:], said[i].Key) && s.tapTweak(p, said[i].Tweak) {
			made = append(made, i)
		}
	}
	outputs, keys := make([][]byte, len(of)), make([][32]byte, len(made))
	for j, p := range s.sum() {
		if !p.IsIdentity() {
			keys[j] = p.X()
			outputs[made[j]] = keys[j][:]
		}
	}
	for i := range outputs {
		if outputs[i] == nil {
			d.parents[i] = nil // it has no offsets
		}
	}
	return outputs, d.offsets()
}

// roots adds the points of descendants that are their roots.
func (c *Cache) roots(of []Descendant, points []vartime.Point, at []int) ([]vartime.Point, []int) {
	for i := range of {
		if len(of[i].Path) > 0 {
			continue
		}
		b, err := c.Branch(of[i].Root, nil)
		if err != nil {
			continue
		}
		if n, ok := b.node.(*secpNode); ok {
			points, at = append(points, n.point), append(at, i)
		}
	}
	return points, at
}
