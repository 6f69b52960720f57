// Package derive makes the children of shared keys.
//
// A key and its chain code, 32 public bytes, are the root of a tree: every key has
// 2^31 children, each at an index. To a key P with chain code c, child i adds an
// offset that hashes of c, P and i yield:
//
//	P_i = P + t·G     (t, c_i) = hash(c, P, i)
//
// Everyone who knows P and c computes P_i; nobody learns a share or a secret key by
// it. Whoever holds a share of P's secret key signs for P_i with the same share, and
// who adds up the signature adds what t contributes. For secp256k1 this is BIP 32's
// unhardened public derivation, to the letter (bip32.go). For Ed25519 it is a
// derivation of this project's own (ed25519.go): its scalars are not clamped, so that
// SLIP-10 and BIP32-Ed25519 are of no use. docs/protocol.md specifies it, and says why
// it is sound.
//
// All of it is public data, and all of it is variable time. The package has no I/O.
package derive

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Errors that callers distinguish.
var (
	// ErrKey means that a key is not a point of the suite.
	ErrKey = errors.New("not a public key of its suite")
	// ErrInvalidChild means that there is no key at an index, which nobody will see:
	// it takes 2^127 tries to find one. It is an error and the index is not skipped, as
	// the client and every node must agree on what a path means.
	ErrInvalidChild = errors.New("the hash at this index gives no key: take another index")
)

// Key is a public key with its chain code.
type Key struct {
	Suite     frost.Suite
	PublicKey []byte // 33 or 32 bytes
	ChainCode [32]byte
}

// Child returns the key that path leads to.
func (k Key) Child(path Path) (Key, error) {
	b, err := NewBranch(k, path)
	if err != nil {
		return Key{}, err
	}
	return b.Key(), nil
}

// Offsets returns what each step of path adds to the key, which is what a signer
// needs (frost.Item): scalars in the suite's encoding. It does not compute the child,
// so whether that is a key shows when it signs.
func (k Key) Offsets(path Path) ([][32]byte, error) {
	if len(path) == 0 {
		return nil, nil
	}
	last := len(path) - 1
	b, err := NewBranch(k, path[:last])
	if err != nil {
		return nil, err
	}
	return b.Offsets(path[last])
}

// node is a key that can derive its children, in one suite.
type node interface {
	suite() frost.Suite
	key() Key
	// offset returns what the child at an index adds.
	offset(h *hasher, index uint32) ([32]byte, error)
	// child returns the child at an index, and what it adds.
	child(h *hasher, index uint32) (node, [32]byte, error)
	// publicKeys returns the encoded keys of consecutive children. The indexes are in range.
	publicKeys(first uint32, count int) ([][]byte, error)
}

// Branch is a key whose children are wanted: it is decoded once for all of them. It
// does not change.
type Branch struct {
	node    node
	offsets [][32]byte
}

// NewBranch returns the key that path leads to from root.
func NewBranch(root Key, path Path) (*Branch, error) {
	if err := path.validate(); err != nil {
		return nil, err
	}
	b := &Branch{}
	var err error
	switch root.Suite {
	case frost.Secp256k1TR:
		b.node, err = newSecpNode(root)
	case frost.Ed25519:
		b.node, err = newEdwardsNode(root)
	default:
		err = ErrKey
	}
	if err != nil {
		return nil, err
	}
	h := newHasher()
	for i, index := range path {
		var offset [32]byte
		if b.node, offset, err = b.node.child(h, index); err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
		b.offsets = append(b.offsets, offset)
	}
	return b, nil
}

// Key returns the key.
func (b *Branch) Key() Key { return b.node.key() }

// Suite returns the key's suite.
func (b *Branch) Suite() frost.Suite { return b.node.suite() }

// Offsets returns the offsets on the path from the root to the child at an index.
func (b *Branch) Offsets(index uint32) ([][32]byte, error) {
	if err := b.reach(index, 1); err != nil {
		return nil, err
	}
	last, err := b.node.offset(newHasher(), index)
	if err != nil {
		return nil, err
	}
	return append(b.offsets[:len(b.offsets):len(b.offsets)], last), nil
}

// PublicKeys returns the keys of count consecutive children from index first on. Many
// at once cost a third of what each alone does; a thousand are many. If there is an
// invalid one among them there are none.
func (b *Branch) PublicKeys(first uint32, count int) ([][]byte, error) {
	if err := b.reach(first, count); err != nil {
		return nil, err
	}
	return b.node.publicKeys(first, count)
}

// reach checks that there may be count children from index first on.
func (b *Branch) reach(first uint32, count int) error {
	switch {
	case len(b.offsets) == MaxDepth:
		return ErrTooDeep
	case count < 1 || first > MaxIndex || uint64(first)+uint64(count) > MaxIndex+1:
		return ErrIndex
	}
	return nil
}
