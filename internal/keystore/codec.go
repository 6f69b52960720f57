package keystore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// header is the part of a record that never changes, encoded as a CBOR array.
// Its bytes as stored are authenticated with every share.
type header struct {
	_          struct{} `cbor:",toarray"`
	Batch      string
	Context    [32]byte
	Transcript [32]byte
	Suite      uint8
	N, T, K    int
	Index      int
	Owner      string
	Nonce      [noncePrefix]byte // of this batch's seals
}

func (h *header) suite() frost.Suite { return frost.Suite(h.Suite) }

// commitmentsSize is the length of one key's commitments in bytes.
func (h *header) commitmentsSize() int { return h.T * h.suite().PointSize() }

// entrySize is the length of one key in the keys value: public key,
// commitments, sealed share.
func (h *header) entrySize() int {
	return h.suite().PublicKeySize() + h.commitmentsSize() + sealedShare
}

// cursor is how far KEYS was read.
type cursor struct {
	_        struct{} `cbor:",toarray"`
	StreamID string
	Seq      uint64
}

var (
	encoder = must(cbor.CoreDetEncOptions().EncMode())
	decoder = must(cbor.DecOptions{
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  4,
		MaxArrayElements: 64,
		MaxMapPairs:      16,
	}.DecMode())
)

func must[M any](mode M, err error) M {
	if err != nil {
		panic(err) // options are constants: only a wrong program gets here
	}
	return mode
}

// decode reads deterministic CBOR of at most limit bytes: what is accepted
// encodes to the same bytes again.
func decode(data []byte, limit int, into any) error {
	if len(data) > limit {
		return fmt.Errorf("%d bytes, more than %d", len(data), limit)
	}
	if err := decoder.Unmarshal(data, into); err != nil {
		return err
	}
	again, err := encoder.Marshal(into)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, data) {
		return errors.New("not in the canonical form")
	}
	return nil
}

func decodeHeader(data []byte) (*header, error) {
	h := new(header)
	if err := decode(data, maxHeader, h); err != nil {
		return nil, err
	}
	return h, h.validate()
}

// checked puts a checksum before a value that no seal covers, so that a bad
// disk is noticed. It is no protection against a person.
func checked(value []byte) []byte {
	sum := sha256.Sum256(value)
	return append(sum[:], value...)
}

// unchecked gives a copy of the value, or false.
func unchecked(stored []byte, limit int) ([]byte, bool) {
	if len(stored) < sha256.Size || len(stored) > sha256.Size+limit {
		return nil, false
	}
	value := bytes.Clone(stored[sha256.Size:])
	sum := sha256.Sum256(value)
	return value, bytes.Equal(sum[:], stored[:sha256.Size])
}
