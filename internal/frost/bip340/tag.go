package bip340

import (
	"crypto/sha256"
	"slices"
)

// Tag is the prefix SHA256(name) || SHA256(name) of a tagged hash. BIP 340,
// Design, calls the hash hash_name(x) = SHA256(prefix || x).
type Tag [64]byte

// NewTag returns the tag of this name.
func NewTag(name string) *Tag {
	h := sha256.Sum256([]byte(name))
	return (*Tag)(slices.Concat(h[:], h[:]))
}

// Hash returns the tagged hash of the concatenation of parts. It marks no
// boundaries between them: the caller's parts have fixed lengths, or carry
// their own; only the last may be of any length.
func (t *Tag) Hash(parts ...[]byte) [32]byte {
	h := sha256.New()
	h.Write(t[:])
	for _, p := range parts {
		h.Write(p)
	}
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}
