package derive

import (
	"bytes"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

// What the two hashes of a child of an Ed25519 key begin with.
const (
	childTag = "frostfleet/ed25519-child/v1"
	chainTag = "frostfleet/ed25519-chaincode/v1"
)

// edwardsNode is a key of Ed25519. With A the key's 32 bytes, c its chain code and i
// an index,
//
//	t   = HMAC-SHA512(c, childTag || A || be32 i) as a little-endian number, modulo L
//	A_i = A + t·B
//	c_i = the first 32 bytes of HMAC-SHA512(c, chainTag || A || be32 i)
//
// unless A_i is the identity.
type edwardsNode struct {
	point  edwards25519.Affine
	public [32]byte
	chain  [32]byte
	prf    prf // of chain
}

func newEdwardsNode(k Key) (*edwardsNode, error) {
	if _, err := edwards25519.DecodePoint(k.PublicKey); err != nil {
		return nil, ErrKey
	}
	point, err := edwards25519.DecodeAffine(k.PublicKey)
	if err != nil {
		return nil, ErrKey
	}
	return edwardsNodeOf(point, k.ChainCode), nil
}

func edwardsNodeOf(point edwards25519.Affine, chain [32]byte) *edwardsNode {
	return &edwardsNode{point, point.Encode(), chain, newPRF(&chain)}
}

func (n *edwardsNode) suite() frost.Suite { return frost.Ed25519 }

func (n *edwardsNode) key() Key {
	return Key{frost.Ed25519, bytes.Clone(n.public[:]), n.chain}
}

// offset returns t, which there is at every index.
func (n *edwardsNode) offset(h *hasher, index uint32) ([32]byte, error) {
	var t edwards25519.Scalar
	if _, err := t.SetBytesModOrderWide(h.hash(&n.prf, childTag, n.public[:], index)[:]); err != nil {
		panic("derive: 64 bytes do not reduce to a scalar: " + err.Error())
	}
	return edwards25519.EncodeScalar(&t), nil
}

func (n *edwardsNode) child(h *hasher, index uint32) (node, [32]byte, error) {
	t, _ := n.offset(h, index)
	p, err := n.add(t)
	if err != nil {
		return nil, [32]byte{}, err
	}
	chain := h.hash(&n.prf, chainTag, n.public[:], index)
	return edwardsNodeOf(p, [32]byte(chain[:32])), t, nil
}

// add returns A + t·B, which is of prime order as A is.
func (n *edwardsNode) add(t [32]byte) (edwards25519.Affine, error) {
	sum := []edwards25519.Affine{n.point}
	if edwards25519.AddBaseMultsVartime(sum, [][32]byte{t}); sum[0].IsIdentity() {
		return edwards25519.Affine{}, ErrInvalidChild
	}
	return sum[0], nil
}

func (n *edwardsNode) publicKeys(first uint32, count int) ([][]byte, error) {
	h := newHasher()
	points, offsets := make([]edwards25519.Affine, count), make([][32]byte, count)
	for j := range points {
		points[j] = n.point
		offsets[j], _ = n.offset(h, first+uint32(j))
	}
	edwards25519.AddBaseMultsVartime(points, offsets)
	keys := encoded(points)
	for j := range keys {
		if keys[j] == nil {
			return nil, fmt.Errorf("index %d: %w", first+uint32(j), ErrInvalidChild)
		}
	}
	return keys, nil
}

// encoded returns the points' encodings, nil for the identity's.
func encoded(points []edwards25519.Affine) [][]byte {
	keys, all := make([][]byte, len(points)), make([][32]byte, len(points))
	for j := range points {
		if !points[j].IsIdentity() {
			all[j] = points[j].Encode()
			keys[j] = all[j][:]
		}
	}
	return keys
}
