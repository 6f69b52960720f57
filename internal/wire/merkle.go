package wire

import (
	"crypto/sha256"
	"errors"
	"math/bits"
)

// The tree of RFC 6962, section 2.1: leaf and node hashes are prefixed, so a
// leaf can't be passed off as a node.

func leafHash(leaf []byte) [32]byte {
	return sha256.Sum256(append([]byte{0}, leaf...))
}

func nodeHash(l, r [32]byte) [32]byte {
	buf := make([]byte, 0, 65)
	buf = append(buf, 1)
	buf = append(buf, l[:]...)
	return sha256.Sum256(append(buf, r[:]...))
}

// split is the largest power of two below n, for n > 1.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

func merkleRoot(leaves [][32]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := split(len(leaves))
	return nodeHash(merkleRoot(leaves[:k]), merkleRoot(leaves[k:]))
}

// merklePaths are the audit paths of all leaves, nearest sibling first. Every
// hash is computed once, whatever the number of paths.
func merklePaths(leaves [][32]byte) [][][]byte {
	paths := make([][][]byte, len(leaves))
	addSiblings(leaves, paths)
	return paths
}

// addSiblings appends to each leaf's path what is above it in this tree, and
// gives the tree's root.
func addSiblings(leaves [][32]byte, paths [][][]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := split(len(leaves))
	l, r := addSiblings(leaves[:k], paths[:k]), addSiblings(leaves[k:], paths[k:])
	for i := range paths {
		sibling := &r
		if i >= k {
			sibling = &l
		}
		paths[i] = append(paths[i], sibling[:])
	}
	return nodeHash(l, r)
}

var errPath = errors.New("merkle path does not fit the tree")

// rootFromPath recomputes the root over size leaves from leaf i and its path.
func rootFromPath(leaf [32]byte, i, size int, path [][]byte) ([32]byte, error) {
	if i < 0 || i >= size {
		return leaf, errPath
	}
	if size == 1 {
		if len(path) != 0 {
			return leaf, errPath
		}
		return leaf, nil
	}
	if len(path) == 0 || len(path[len(path)-1]) != 32 {
		return leaf, errPath
	}
	sibling := [32]byte(path[len(path)-1])
	k, rest := split(size), path[:len(path)-1]
	if i < k {
		l, err := rootFromPath(leaf, i, k, rest)
		return nodeHash(l, sibling), err
	}
	r, err := rootFromPath(leaf, i-k, size-k, rest)
	return nodeHash(sibling, r), err
}

// keyLeaf is the leaf of one key in its batch's tree: what stays the same for as
// long as the key lives.
func keyLeaf(k *EntryKey) [32]byte {
	buf := make([]byte, 0, 4+4+len(k.PublicKey)+32+len(k.Owner))
	buf = append(buf, Be32(k.Index)...)
	buf = append(buf, Be32(len(k.PublicKey))...)
	buf = append(buf, k.PublicKey...)
	buf = append(buf, k.ChainCode[:]...)
	return leafHash(append(buf, k.Owner...))
}

// KeyRoot is the Merkle root over what is certified of a batch's keys: index, public
// key, chain code, owner.
func KeyRoot(keys []EntryKey) [32]byte {
	leaves := make([][32]byte, len(keys))
	for i := range keys {
		leaves[i] = keyLeaf(&keys[i])
	}
	return merkleRoot(leaves)
}
