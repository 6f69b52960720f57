package keystore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// founding is the part of a record of generation 0 that never changes, encoded as a CBOR
// array. Stores of format 1 have no other header.
type founding struct {
	_          struct{} `cbor:",toarray"`
	Batch      string
	Context    [32]byte
	Transcript [32]byte
	Suite      uint8
	N, T, K    int
	Index      int
	Owner      string
	Nonce      [noncePrefix]byte // of this record's seals
}

// header is the part of a record that never changes. Its bytes as stored are authenticated
// with every share.
type header struct {
	founding
	Generation uint32
	MadeBy     [32]byte
	Deals      int      // how many there are
	Reshare    [32]byte // SHA-256 of Record.Reshare; zero in generation 0
}

// laterHeader is how a header of a later generation is encoded: a CBOR array whose first
// element is what generation 0 has.
type laterHeader struct {
	_          struct{} `cbor:",toarray"`
	Founding   founding
	Generation uint32
	MadeBy     [32]byte
	Deals      int
	Reshare    [32]byte
}

func (h *header) ref() Ref { return Ref{h.Batch, h.Generation} }

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

// encode gives the header's bytes. Those of generation 0 are what they always were.
func (h *header) encode() ([]byte, error) {
	if h.Generation == 0 {
		return encoder.Marshal(&h.founding)
	}
	return encoder.Marshal(&laterHeader{
		Founding: h.founding, Generation: h.Generation, MadeBy: h.MadeBy, Deals: h.Deals, Reshare: h.Reshare,
	})
}

// laterStart is the first byte of a header of a later generation: an array of five.
const laterStart = 0x85

func decodeHeader(data []byte) (*header, error) {
	if len(data) == 0 || data[0] != laterStart {
		h := new(header)
		if err := decode(data, maxHeader, &h.founding); err != nil {
			return nil, err
		}
		h.MadeBy, h.Deals = h.Transcript, h.N
		return h, h.validate()
	}
	var l laterHeader
	if err := decode(data, maxHeader, &l); err != nil {
		return nil, err
	}
	if l.Generation == 0 {
		return nil, errors.New("generation 0 in the form of a later one")
	}
	h := &header{l.Founding, l.Generation, l.MadeBy, l.Deals, l.Reshare}
	return h, h.validate()
}

// checked puts a checksum before a value that no seal covers, so that a bad
// disk is noticed. It is no protection against a person.
func checked(value []byte) []byte {
	return appendChecked(make([]byte, 0, sha256.Size+len(value)), value)
}

func appendChecked(dst, value []byte) []byte {
	sum := sha256.Sum256(value)
	return append(append(dst, sum[:]...), value...)
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
