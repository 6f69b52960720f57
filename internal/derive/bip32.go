package derive

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"

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
}

func newSecpNode(k Key) (*secpNode, error) {
	if len(k.PublicKey) != 33 || k.PublicKey[0]&^1 != 2 {
		return nil, ErrKey
	}
	point, ok := vartime.LiftX((*[32]byte)(k.PublicKey[1:]), k.PublicKey[0] == 3)
	if !ok {
		return nil, ErrKey
	}
	return secpNodeOf(point, k.ChainCode), nil
}

func secpNodeOf(point vartime.Point, chain [32]byte) *secpNode {
	return &secpNode{point, point.AppendCompressed(nil), chain}
}

func (n *secpNode) suite() frost.Suite { return frost.Secp256k1TR }

func (n *secpNode) key() Key {
	return Key{frost.Secp256k1TR, n.point.AppendCompressed(nil), n.chain}
}

// mac returns HMAC-SHA512 under the chain code.
func (n *secpNode) mac() hash.Hash { return hmac.New(sha512.New, n.chain[:]) }

// intermediate returns I.
func (n *secpNode) intermediate(mac hash.Hash, index uint32) (i [64]byte) {
	var ser [4]byte
	binary.BigEndian.PutUint32(ser[:], index)
	mac.Reset()
	mac.Write(n.public)
	mac.Write(ser[:])
	mac.Sum(i[:0])
	return i
}

// left returns parse_256(I_L).
func left(i *[64]byte) (*secp.Scalar, error) {
	s, err := secp.NewScalarFromCanonicalBytes((*[32]byte)(i[:32]))
	if err != nil {
		return nil, ErrInvalidChild
	}
	return s, nil
}

func (n *secpNode) offset(index uint32) ([32]byte, error) {
	i := n.intermediate(n.mac(), index)
	_, err := left(&i)
	return [32]byte(i[:32]), err
}

func (n *secpNode) child(index uint32) (node, [32]byte, error) {
	i := n.intermediate(n.mac(), index)
	c, err := n.childOf(&i)
	if err != nil {
		return nil, [32]byte{}, err
	}
	return c, [32]byte(i[:32]), nil
}

// childOf returns the child whose I is known.
func (n *secpNode) childOf(i *[64]byte) (*secpNode, error) {
	s, err := left(i)
	if err != nil {
		return nil, err
	}
	child := []vartime.Point{n.point}
	if vartime.AddBaseMults(child, []*secp.Scalar{s}); child[0].IsIdentity() {
		return nil, ErrInvalidChild
	}
	return secpNodeOf(child[0], [32]byte(i[32:])), nil
}

// points returns consecutive children.
func (n *secpNode) points(first uint32, count int) ([]vartime.Point, error) {
	mac := n.mac()
	points, scalars := make([]vartime.Point, count), make([]*secp.Scalar, count)
	for j := range points {
		i := n.intermediate(mac, first+uint32(j))
		var err error
		if scalars[j], err = left(&i); err != nil {
			return nil, fmt.Errorf("index %d: %w", first+uint32(j), err)
		}
		points[j] = n.point
	}
	vartime.AddBaseMults(points, scalars)
	return points, proper(points, first)
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
	keys := make([][]byte, count)
	all := make([]byte, 0, count*33)
	for j := range points {
		all = points[j].AppendCompressed(all)
		keys[j] = all[j*33 : (j+1)*33 : (j+1)*33]
	}
	return keys, nil
}
