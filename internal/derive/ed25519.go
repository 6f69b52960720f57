package derive

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

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
	point  *edwards25519.Point
	public [32]byte
	chain  [32]byte
}

func newEdwardsNode(k Key) (*edwardsNode, error) {
	point, err := edwards25519.DecodePoint(k.PublicKey)
	if err != nil {
		return nil, ErrKey
	}
	return &edwardsNode{point, [32]byte(k.PublicKey), k.ChainCode}, nil
}

func (n *edwardsNode) suite() frost.Suite { return frost.Ed25519 }

func (n *edwardsNode) key() Key {
	return Key{frost.Ed25519, append([]byte(nil), n.public[:]...), n.chain}
}

// mac returns HMAC-SHA512 under the chain code.
func (n *edwardsNode) mac() hash.Hash { return hmac.New(sha512.New, n.chain[:]) }

func (n *edwardsNode) hash(mac hash.Hash, tag string, index uint32) (sum [64]byte) {
	var ser [4]byte
	binary.BigEndian.PutUint32(ser[:], index)
	mac.Reset()
	mac.Write([]byte(tag))
	mac.Write(n.public[:])
	mac.Write(ser[:])
	mac.Sum(sum[:0])
	return sum
}

// scalarAt returns t.
func (n *edwardsNode) scalarAt(mac hash.Hash, index uint32) *edwards25519.Scalar {
	h := n.hash(mac, childTag, index)
	t, err := scalar.NewFromBytesModOrderWide(h[:])
	if err != nil {
		panic("derive: 64 bytes do not reduce to a scalar: " + err.Error())
	}
	return t
}

// add returns A + t·B, which is of prime order as A is.
func (n *edwardsNode) add(t *edwards25519.Scalar) (*edwards25519.Point, error) {
	p := edwards25519.BaseMult(t)
	if p.Add(p, n.point).IsIdentity() {
		return nil, ErrInvalidChild
	}
	return p, nil
}

func (n *edwardsNode) offset(index uint32) ([32]byte, error) {
	return edwards25519.EncodeScalar(n.scalarAt(n.mac(), index)), nil
}

func (n *edwardsNode) child(index uint32) (node, [32]byte, error) {
	mac := n.mac()
	t := n.scalarAt(mac, index)
	p, err := n.add(t)
	if err != nil {
		return nil, [32]byte{}, err
	}
	chain := n.hash(mac, chainTag, index)
	return &edwardsNode{p, edwards25519.Encode(p), [32]byte(chain[:32])}, edwards25519.EncodeScalar(t), nil
}

func (n *edwardsNode) publicKeys(first uint32, count int) ([][]byte, error) {
	mac := n.mac()
	keys := make([][]byte, count)
	for j := range keys {
		p, err := n.add(n.scalarAt(mac, first+uint32(j)))
		if err != nil {
			return nil, fmt.Errorf("index %d: %w", first+uint32(j), err)
		}
		b := edwards25519.Encode(p)
		keys[j] = b[:]
	}
	return keys, nil
}
