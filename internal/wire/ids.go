package wire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Be32 is the big-endian form of a count or index in a hash.
func Be32[T int | uint32 | uint8](v T) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(v))
}

// ShortID shortens a context to the id under which its messages travel: 16 bytes
// as hexadecimal. What is signed always binds the whole context.
func ShortID(ctx [32]byte) string { return hex.EncodeToString(ctx[:16]) }

// BatchHeader says which batch a deal belongs to. Its hash is the batch's
// context, so an attempt is a batch of its own: nothing of a failed attempt
// can be taken for part of the next.
type BatchHeader struct {
	Client  string   `cbor:"1,keyasint"`
	Digest  [32]byte `cbor:"2,keyasint"` // of the job
	Part    uint32   `cbor:"3,keyasint"` // which cut of the job
	Attempt uint32   `cbor:"4,keyasint"`
	Suite   uint8    `cbor:"5,keyasint"`
	K       uint32   `cbor:"6,keyasint"` // keys in the batch
}

// Context is the batch's ctx (docs/protocol.md, section 5).
func (h BatchHeader) Context(m *Manifest) [32]byte { return h.ContextUnder(m.Hash()) }

// ContextUnder is Context for the manifest of that hash.
func (h BatchHeader) ContextUnder(manifest [32]byte) [32]byte {
	return frost.Hash("frostfleet/dkg/v1", manifest[:], []byte(h.Client), h.Digest[:],
		Be32(h.Part), Be32(h.Attempt), []byte{h.Suite}, Be32(h.K))
}

// Params are the batch's parameters for internal/frost.
func (h BatchHeader) Params(m *Manifest) frost.Params {
	return frost.Params{
		Suite: frost.Suite(h.Suite), Context: h.Context(m),
		N: m.N, T: m.T, K: int(h.K), HostKeys: m.HostKeys(),
	}
}

// BatchSize is how many keys one batch holds: at most 1,000, and at most what
// gives a deal of 512 KiB.
func BatchSize(suite frost.Suite, n, t int) int {
	perKey := (t+1)*suite.PointSize() + frost.ScalarSize + n*frost.ScalarSize
	return max(1, min(frost.MaxBatch, 512<<10/perKey))
}

// KeyID names a key: the batch and the index in it.
type KeyID struct {
	Batch string
	Index int
}

func (id KeyID) String() string { return id.Batch + "." + strconv.Itoa(id.Index) }

// ParseKeyID reads "<32 hexadecimal digits>.<index>".
func ParseKeyID(s string) (KeyID, error) {
	batch, index, ok := strings.Cut(s, ".")
	i, err := strconv.Atoi(index)
	var digits [20]byte // on the stack: a job may have a thousand keys
	if !ok || err != nil || string(strconv.AppendInt(digits[:0], int64(i), 10)) != index || !isBatchID(batch) {
		return KeyID{}, fmt.Errorf("key id %.80q is not <32 hexadecimal digits>.<index>", s)
	}
	if i < 0 || i >= frost.MaxBatch {
		return KeyID{}, fmt.Errorf("key id %.80q: there is no index %d, a batch has at most %d keys, from 0", s, i, frost.MaxBatch)
	}
	return KeyID{Batch: batch, Index: i}, nil
}

func isBatchID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// be64 is the big-endian form of a time in a hash.
func be64(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
