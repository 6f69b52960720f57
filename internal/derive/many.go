package derive

import (
	secp "gitlab.com/yawning/secp256k1-voi"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// Descendant is a key below a root.
type Descendant struct {
	Root Key
	Path Path
}

// PublicKeys returns the public keys of descendants of any roots, in their order, or
// an error in that place. Many of secp256k1 cost half as much together.
func (c *Cache) PublicKeys(of []Descendant) ([][]byte, []error) {
	keys, errs := make([][]byte, len(of)), make([]error, len(of))
	var at []int // those whose points are still to be computed, with
	var points []vartime.Point
	var scalars []*secp.Scalar
	for i, d := range of {
		if len(d.Path) == 0 {
			keys[i] = d.Root.PublicKey
			continue
		}
		last := len(d.Path) - 1
		b, err := c.Branch(d.Root, d.Path[:last])
		if err == nil {
			err = b.reach(d.Path[last], 1)
		}
		if errs[i] = err; err != nil {
			continue
		}
		n, ok := b.node.(*secpNode)
		if !ok {
			keys[i], errs[i] = only(b.node.publicKeys(d.Path[last], 1))
			continue
		}
		sum := n.intermediate(n.mac(), d.Path[last])
		var s *secp.Scalar
		if s, errs[i] = left(&sum); errs[i] == nil {
			at, points, scalars = append(at, i), append(points, n.point), append(scalars, s)
		}
	}
	vartime.AddBaseMults(points, scalars)
	for j, i := range at {
		if errs[i] = proper(points[j:j+1], of[i].Path[len(of[i].Path)-1]); errs[i] == nil {
			keys[i] = points[j].AppendCompressed(nil)
		}
	}
	return keys, errs
}

func only(keys [][]byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}
