package derive

import (
	"bytes"
	"fmt"

	secp "gitlab.com/yawning/secp256k1-voi"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// secpNode is a key of secp256k1. BIP 32, CKDpub((K_par, c_par), i) for an unhardened
// i: let I = HMAC-SHA512(c_par, ser_P(K_par) || ser_32(i)) and I_L, I_R its halves;
// then K_i = point(parse_256(I_L)) + K_par and c_i = I_R, unless parse_256(I_L) ≥ n or
// K_i is the point at infinity.
type secpNode struct {
	point  vartime.Point
	public []byte // ser_P(point), 33 bytes
	chain  [32]byte
	prf    prf // of chain
}

func newSecpNode(k Key) (*secpNode, error) {
	point, err := secpPoint(k.PublicKey)
	if err != nil {
		return nil, err
	}
	return secpNodeOf(point, k.ChainCode), nil
}

// secpPoint reads a compressed key.
func secpPoint(public []byte) (vartime.Point, error) {
	if len(public) != 33 || public[0]&^1 != 2 {
		return vartime.Point{}, ErrKey
	}
	point, ok := vartime.LiftX((*[32]byte)(public[1:]), public[0] == 3)
	if !ok {
		return vartime.Point{}, ErrKey
	}
	return point, nil
}

func secpNodeOf(point vartime.Point, chain [32]byte) *secpNode {
	return &secpNode{point, point.AppendCompressed(nil), chain, newPRF(&chain)}
}

func (n *secpNode) suite() frost.Suite { return frost.Secp256k1TR }

func (n *secpNode) key() Key {
	return Key{frost.Secp256k1TR, bytes.Clone(n.public), n.chain}
}

// intermediate returns I, until the hasher is used again.
func (n *secpNode) intermediate(h *hasher, index uint32) *[64]byte {
	return h.hash(&n.prf, "", n.public, index)
}

// order is n, the order of the group.
var order = [32]byte{
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
	0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
}

// isScalar reports whether a number is below n.
func isScalar(b []byte) bool { return bytes.Compare(b, order[:]) < 0 }

// left returns I_L, if it is below n.
func left(i *[64]byte) ([32]byte, error) {
	if !isScalar(i[:32]) {
		return [32]byte{}, ErrInvalidChild
	}
	return [32]byte(i[:32]), nil
}

func (n *secpNode) offset(h *hasher, index uint32) ([32]byte, error) {
	return left(n.intermediate(h, index))
}

func (n *secpNode) child(h *hasher, index uint32) (node, [32]byte, error) {
	i := *n.intermediate(h, index)
	c, err := n.childOf(&i)
	if err != nil {
		return nil, [32]byte{}, err
	}
	return c, [32]byte(i[:32]), nil
}

// childOf returns the child whose I is known.
func (n *secpNode) childOf(i *[64]byte) (*secpNode, error) {
	offset, err := left(i)
	if err != nil {
		return nil, err
	}
	var s secpSums
	if s.add(&n.point, &offset); s.sum()[0].IsIdentity() {
		return nil, ErrInvalidChild
	}
	return secpNodeOf(s.points[0], [32]byte(i[32:])), nil
}

// points returns consecutive children.
func (n *secpNode) points(first uint32, count int) ([]vartime.Point, error) {
	h, s := newHasher(), newSecpSums(count)
	for j := range uint32(count) {
		offset, err := n.offset(h, first+j)
		if err != nil {
			return nil, fmt.Errorf("index %d: %w", first+j, err)
		}
		s.add(&n.point, &offset)
	}
	return s.sum(), proper(s.points, first)
}

// proper returns an error if one of the children from first on is no key.
func proper(points []vartime.Point, first uint32) error {
	for j := range points {
		if points[j].IsIdentity() {
			return fmt.Errorf("index %d: %w", first+uint32(j), ErrInvalidChild)
		}
	}
	return nil
}

func (n *secpNode) publicKeys(first uint32, count int) ([][]byte, error) {
	points, err := n.points(first, count)
	if err != nil {
		return nil, err
	}
	return compressed(points), nil
}

// compressed returns the points' encodings, nil for the identity's.
func compressed(points []vartime.Point) [][]byte {
	keys := make([][]byte, len(points))
	all := make([]byte, 0, len(points)*33)
	for j := range points {
		if at := len(all); !points[j].IsIdentity() {
			all = points[j].AppendCompressed(all)
			keys[j] = all[at:len(all):len(all)]
		}
	}
	return keys
}

// secpSums are points, parents as a rule, and what is still to be added to them: many at
// once cost less.
type secpSums struct {
	points  []vartime.Point
	scalars []*secp.Scalar
	parsed  []secp.Scalar // what scalars point to
}

func newSecpSums(count int) secpSums {
	return secpSums{make([]vartime.Point, 0, count), make([]*secp.Scalar, 0, count), make([]secp.Scalar, count)}
}

// add takes a point and an offset below n.
func (s *secpSums) add(p *vartime.Point, offset *[32]byte) {
	if len(s.parsed) == 0 {
		s.parsed = make([]secp.Scalar, 1)
	}
	t, err := s.parsed[0].SetCanonicalBytes(offset)
	if err != nil {
		panic("derive: an offset that was below n: " + err.Error())
	}
	s.parsed = s.parsed[1:]
	s.points, s.scalars = append(s.points, *p), append(s.scalars, t)
}

// sum adds them up.
func (s *secpSums) sum() []vartime.Point {
	vartime.AddBaseMults(s.points, s.scalars)
	return s.points
}
