package keystore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// A part is one kind of value of a batch. It stands in the value's key, so it
// never changes.
type part byte

const (
	partKeys        part = 'k' // K entries: public key, commitments, sealed share
	partDeal        part = 'd' // raw deals, each with a checksum
	partReshare     part = 'r' // of a later generation: what it came of, with a checksum
	partCert        part = 'c' // own certificate, with a checksum
	partComplete    part = 'x' // sealed mark
	partCertificate part = 'n' // N certificates, each with a checksum
)

// Keys in the data bucket: "h" batch gives the header of generation 0, "v" batch part
// position everything else of it. Of a later generation they are "h" batch generation, and
// "g" batch generation part position. Headers lie together, so that a walk over the batches
// reads nothing else, and those of one batch lie one behind the other, ascending.
const (
	prefixHeader = 'h'
	prefixValue  = 'v'
	prefixLater  = 'g'
)

// batch is a stored generation of a batch within a transaction.
type batch struct {
	data *bolt.Bucket
	h    *header
	raw  []byte // h as stored
}

func headerKey(ref Ref) []byte { return refKey(prefixHeader, ref, 0) }

// refKey is the beginning of a key, with room for so many bytes more.
func refKey(prefix byte, ref Ref, room int) []byte {
	key := append(make([]byte, 0, 1+batchIDChars+generationBytes+room), prefix)
	key = append(key, ref.Batch...)
	if ref.Generation > 0 {
		key = binary.BigEndian.AppendUint32(key, ref.Generation)
	}
	return key
}

const generationBytes = 4

// headerRef reads what headerKey made; false if it is none.
func headerRef(key []byte) (Ref, bool) {
	switch len(key) {
	case 1 + batchIDChars:
		return Ref{Batch: string(key[1:])}, true
	case 1 + batchIDChars + generationBytes:
		generation := binary.BigEndian.Uint32(key[1+batchIDChars:])
		return Ref{string(key[1 : 1+batchIDChars]), generation}, generation > 0
	}
	return Ref{}, false
}

func (b *batch) key(p part, i int) []byte {
	prefix := byte(prefixValue)
	if b.h.Generation > 0 {
		prefix = prefixLater
	}
	key := refKey(prefix, b.h.ref(), 1+2)
	return binary.BigEndian.AppendUint16(append(key, byte(p)), uint16(i))
}

func (b *batch) get(p part, i int) []byte { return b.data.Get(b.key(p, i)) }

func (b *batch) put(p part, i int, value []byte) error { return b.data.Put(b.key(p, i), value) }

func (b *batch) putHeader() error { return b.data.Put(headerKey(b.h.ref()), b.raw) }

// putAll writes the values of one part, each with its checksum. They are in memory of buffer,
// which must stay as it is until the transaction ends.
func (b *batch) putAll(p part, values [][]byte, buffer []byte) error {
	for i, v := range values {
		start := len(buffer)
		buffer = appendChecked(buffer, v)
		if err := b.put(p, i, buffer[start:len(buffer):len(buffer)]); err != nil {
			return err
		}
	}
	return nil
}

// checkedSize is how much memory putAll takes, in bytes.
func checkedSize(values [][]byte) (size int) {
	for _, v := range values {
		size += sha256.Size + len(v)
	}
	return size
}

// buffers are those of batches that were written, each of at most maxBuffer bytes: the next one
// comes soon, and fresh memory costs more than what is written to it. The garbage collector
// takes them when none does.
var buffers sync.Pool

const maxBuffer = 32 << 20

// withBuffer calls f with an empty buffer of that capacity.
func withBuffer(size int, f func(buffer []byte) error) error {
	buffer, _ := buffers.Get().(*[]byte)
	if buffer == nil || cap(*buffer) < size {
		made := make([]byte, 0, size)
		buffer = &made
	}
	err := f(*buffer)
	if err == nil && cap(*buffer) <= maxBuffer {
		buffers.Put(buffer)
	}
	return err
}

// getAll reads the n values that putAll wrote.
func (s *Store) getAll(b *batch, p part, n, limit int) ([][]byte, error) {
	out := make([][]byte, n)
	for i := range out {
		var ok bool
		if out[i], ok = unchecked(b.get(p, i), limit); !ok {
			return nil, s.damaged(fmt.Sprintf("%s: the checksum of %c/%d is wrong", b.h.ref(), p, i))
		}
	}
	return out, nil
}

// entries gives the keys value, of the length that the header wants.
func (s *Store) entries(b *batch) ([]byte, error) {
	all := b.get(partKeys, 0)
	if len(all) != b.h.K*b.h.entrySize() {
		return nil, s.damaged(b.h.ref().String() + ": its keys have the wrong length")
	}
	return all, nil
}

func (s *Store) isComplete(b *batch) (bool, error) {
	mark := b.get(partComplete, 0)
	if mark == nil {
		return false, nil
	}
	if !s.openComplete(b.h, b.raw, mark) {
		return false, s.damaged(b.h.ref().String() + ": the mark of its completion does not open")
	}
	return true, nil
}

// find gives a generation of a batch, or ErrUnknown.
func (s *Store) find(tx *bolt.Tx, ref Ref) (*batch, error) {
	if !validBatchID(ref.Batch) {
		return nil, errNoID
	}
	data := tx.Bucket(bucketData)
	raw := data.Get(headerKey(ref))
	if raw == nil {
		return nil, fmt.Errorf("%s: %w", ref, ErrUnknown)
	}
	return s.batch(data, ref, raw)
}

func (s *Store) batch(data *bolt.Bucket, ref Ref, raw []byte) (*batch, error) {
	h, err := decodeHeader(raw)
	if err == nil && h.ref() != ref {
		err = errors.New("it is another one's")
	}
	if err != nil {
		return nil, s.damaged(fmt.Sprintf("header of %.60q: %v", ref, err))
	}
	return &batch{data: data, h: h, raw: raw}, nil
}

// each walks all generations of all batches, in the order of the batches' ids and their
// numbers.
func (s *Store) each(tx *bolt.Tx, f func(*batch) error) error { return s.headers(tx, nil, f) }

// generations walks those of one batch, ascending. It is ErrUnknown if there are none.
func (s *Store) generations(tx *bolt.Tx, id string, f func(*batch) error) error {
	if !validBatchID(id) {
		return errNoID
	}
	none := true
	err := s.headers(tx, []byte(id), func(b *batch) error { none = false; return f(b) })
	if err == nil && none {
		return fmt.Errorf("batch %s: %w", id, ErrUnknown)
	}
	return err
}

// headers walks the records whose batch ids begin so.
func (s *Store) headers(tx *bolt.Tx, ids []byte, f func(*batch) error) error {
	data := tx.Bucket(bucketData)
	walk := data.Cursor()
	prefix := append([]byte{prefixHeader}, ids...)
	for name, raw := walk.Seek(prefix); bytes.HasPrefix(name, prefix); name, raw = walk.Next() {
		ref, ok := headerRef(name)
		if !ok {
			return s.damaged("the name of a header is none")
		}
		b, err := s.batch(data, ref, raw)
		if err != nil {
			return err
		}
		if err := f(b); err != nil {
			return err
		}
		s.touch(tx, touchedByRead)
	}
	return nil
}

// count reads every header at start: it fills Stats, and finds damage early.
func (s *Store) count(tx *bolt.Tx) error {
	last := ""
	return s.each(tx, func(b *batch) error {
		if b.h.Batch != last {
			s.batches.Add(1)
			s.keys.Add(int64(b.h.K))
		}
		last = b.h.Batch
		return nil
	})
}
