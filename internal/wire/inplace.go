package wire

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Envelopes and deals are up to a megabyte each, nearly all of it byte strings, and a node of
// a large fleet reads dozens for a batch. Decode copies every byte string, and encodes the
// whole again to see that the bytes are canonical. What reads them here points into the
// message, and checks the canonical form as it goes: it takes what Decode takes and nothing
// else, which FuzzInPlace holds it to. Nobody may change a message after that.

// inPlace reads core deterministic CBOR. After the first thing that is something else it
// gives zeros.
type inPlace struct {
	rest   []byte
	failed bool
}

// Major types of CBOR (RFC 8949, 3.1), and simple values.
const (
	majorUint  = 0
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
	cborTrue   = 0xf5
	cborNull   = 0xf6
)

// maxInPlaceArray is Decode's MaxArrayElements.
const maxInPlaceArray = 4096

func (r *inPlace) fail() uint64 {
	r.rest, r.failed = nil, true
	return 0
}

// head reads an item's major type, which must be this one, and its argument in the shortest
// form.
func (r *inPlace) head(major byte) uint64 {
	if len(r.rest) == 0 || r.rest[0]>>5 != major {
		return r.fail()
	}
	info, rest := r.rest[0]&0x1f, r.rest[1:]
	if info < 24 {
		r.rest = rest
		return uint64(info)
	}
	size := 1 << (info - 24)
	if info > 27 || len(rest) < size {
		return r.fail()
	}
	var wide [8]byte
	copy(wide[8-size:], rest[:size])
	n := binary.BigEndian.Uint64(wide[:])
	if least := [4]uint64{24, 1 << 8, 1 << 16, 1 << 32}[info-24]; n < least {
		return r.fail()
	}
	r.rest = rest[size:]
	return n
}

// is reports whether the next item is this one of a single byte, and reads it then: the key
// of a field, or a simple value.
func (r *inPlace) is(item byte) bool {
	if len(r.rest) == 0 || r.rest[0] != item {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// key reads the key of a field that must be there.
func (r *inPlace) key(item byte) {
	if !r.is(item) {
		r.fail()
	}
}

func (r *inPlace) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

// null reads a null, which is what a slice that is nil encodes to.
func (r *inPlace) null() bool { return r.is(cborNull) }

// bytes reads a byte string.
func (r *inPlace) bytes() []byte {
	if r.null() {
		return nil
	}
	return r.take(r.head(majorBytes))
}

// array32 reads a byte string of 32 bytes.
func (r *inPlace) array32() (a [32]byte) {
	n := r.head(majorBytes)
	if n != 32 {
		r.fail()
	}
	copy(a[:], r.take(n))
	return a
}

// text reads a text string.
func (r *inPlace) text() string {
	s := r.take(r.head(majorText))
	if !utf8.Valid(s) {
		r.fail()
		return ""
	}
	return string(s)
}

// uint reads an unsigned integer of at most a size.
func (r *inPlace) uint(most uint64) uint64 {
	n := r.head(majorUint)
	if n > most {
		return r.fail()
	}
	return n
}

// list reads an array of byte strings.
func (r *inPlace) list() [][]byte {
	if r.null() {
		return nil
	}
	n := r.head(majorArray)
	if r.failed || n > maxInPlaceArray || n > uint64(len(r.rest)) { // each takes a byte at least
		r.fail()
		return nil
	}
	all := make([][]byte, n)
	for i := range all {
		all[i] = r.bytes()
	}
	return all
}

// end reports what is wrong, once everything was read.
func (r *inPlace) end() error {
	if r.failed || len(r.rest) > 0 {
		return errNotCanonical
	}
	return nil
}

// inPlaceOf begins to read a message of at most limit bytes, a map of so many fields at most
// as it says.
func inPlaceOf(data []byte, limit int) (r *inPlace, fields uint64, err error) {
	if len(data) > limit {
		return nil, 0, fmt.Errorf("message of %d bytes is over the limit of %d", len(data), limit)
	}
	r = &inPlace{rest: data}
	return r, r.head(majorMap), nil
}

// decodeEnvelope is Decode for an envelope, whose byte strings are those of data.
func decodeEnvelope(data []byte, limit int) (*Envelope, error) {
	r, fields, err := inPlaceOf(data, limit)
	if err != nil {
		return nil, err
	}
	var e Envelope
	has := uint64(2)
	r.key(1)
	e.Body = r.bytes()
	r.key(2)
	e.Signature = r.bytes()
	if r.is(3) { // left out where it is empty
		e.Delegation = r.bytes()
		if has++; len(e.Delegation) == 0 {
			r.fail()
		}
	}
	if r.is(4) {
		e.Gateway = r.text()
		if has++; e.Gateway == "" {
			r.fail()
		}
	}
	if fields != has {
		r.fail()
	}
	return &e, r.end()
}

// decodeDealBody is Decode for a deal, whose byte strings are those of body.
func decodeDealBody(body []byte) (*dealBody, error) {
	r, fields, err := inPlaceOf(body, MaxMessageSize)
	if err != nil {
		return nil, err
	}
	var b dealBody
	r.key(1)
	b.Header = r.batchHeader()
	r.key(2)
	b.Ephemeral = r.array32()
	r.key(3)
	b.Commitments = r.bytes()
	r.key(4)
	b.Proofs = r.bytes()
	r.key(5)
	b.Shares = r.list()
	has := uint64(5)
	if r.is(6) {
		has++
		b.Apart = true
		r.key(cborTrue) // left out where it is false
	}
	if fields != has {
		r.fail()
	}
	return &b, r.end()
}

func (r *inPlace) batchHeader() (h BatchHeader) {
	if r.head(majorMap) != 6 {
		r.fail()
	}
	r.key(1)
	h.Client = r.text()
	r.key(2)
	h.Digest = r.array32()
	r.key(3)
	h.Part = uint32(r.uint(1<<32 - 1))
	r.key(4)
	h.Attempt = uint32(r.uint(1<<32 - 1))
	r.key(5)
	h.Suite = uint8(r.uint(1<<8 - 1))
	r.key(6)
	h.K = uint32(r.uint(1<<32 - 1))
	return h
}
