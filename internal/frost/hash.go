package frost

import (
	"crypto/sha256"
	"encoding/binary"
)

// Hash is the tagged hash of everything Frostfleet defines itself:
// SHA256(SHA256(tag) || SHA256(tag) || len64(part) || part ...), the shape of
// BIP 340's tagged hash with every part length-prefixed, so that no two lists
// of parts have the same input.
func Hash(tag string, parts ...[]byte) [32]byte {
	t := sha256.Sum256([]byte(tag))
	h := sha256.New()
	h.Write(t[:])
	h.Write(t[:])
	var size [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write(p)
	}
	var sum [32]byte // on the stack
	h.Sum(sum[:0])
	return sum
}
