package derive

import (
	"bytes"
	"crypto/sha512"
	"crypto/subtle"
	"encoding"
	"encoding/binary"
	"hash"
)

// prf is HMAC-SHA512 under a chain code, RFC 2104: the states of SHA-512 after the block
// of the inner and that of the outer key. They are public. Kept, they leave two blocks of
// four to hash for a child.
type prf struct{ inner, outer []byte }

func newPRF(chain *[32]byte) prf { return prf{keyed(chain, 0x36), keyed(chain, 0x5c)} }

func keyed(chain *[32]byte, pad byte) []byte {
	block := bytes.Repeat([]byte{pad}, sha512.BlockSize)
	subtle.XORBytes(block, block, chain[:])
	h := sha512.New()
	h.Write(block)
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic("derive: the state of SHA-512: " + err.Error())
	}
	return state
}

// hasher computes such hashes, one after the other, in memory of its own.
type hasher struct {
	sha   hash.Hash
	input [128]byte // an inner hash's
	sum   [64]byte
}

func newHasher() *hasher { return &hasher{sha: sha512.New()} }

// hash returns HMAC-SHA512 under p of tag || public || ser_32(index). It is overwritten
// by the next one.
func (h *hasher) hash(p *prf, tag string, public []byte, index uint32) *[64]byte {
	input := binary.BigEndian.AppendUint32(append(append(h.input[:0], tag...), public...), index)
	h.from(p.inner, input)
	h.from(p.outer, h.sum[:])
	return &h.sum
}

func (h *hasher) from(state, input []byte) {
	if err := h.sha.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		panic("derive: the state of SHA-512: " + err.Error())
	}
	h.sha.Write(input)
	h.sha.Sum(h.sum[:0])
}
