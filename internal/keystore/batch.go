package keystore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// A part is one kind of value of a batch. It stands in the value's key, so it
// never changes.
type part byte

const (
	partKeys        part = 'k' // K entries: public key, commitments, sealed share
	partDeal        part = 'd' // N raw deals, each with a checksum
	partCert        part = 'c' // own certificate, with a checksum
	partComplete    part = 'x' // sealed mark
	partCertificate part = 'n' // N certificates, each with a checksum
)

// Keys in the data bucket: "h" batch gives the header, "v" batch part position
// everything else. Headers lie together, so that a walk over the batches reads
// nothing else.
const (
	prefixHeader = 'h'
	prefixValue  = 'v'
)

// batch is a stored batch within a transaction.
type batch struct {
	data *bolt.Bucket
	h    *header
	raw  []byte // h as stored
}

func headerKey(id string) []byte { return append([]byte{prefixHeader}, id...) }

func (b *batch) key(p part, i int) []byte {
	key := append(make([]byte, 0, 1+batchIDChars+1+2), prefixValue)
	key = append(key, b.h.Batch...)
	return binary.BigEndian.AppendUint16(append(key, byte(p)), uint16(i))
}

func (b *batch) get(p part, i int) []byte { return b.data.Get(b.key(p, i)) }

func (b *batch) put(p part, i int, value []byte) error { return b.data.Put(b.key(p, i), value) }

func (b *batch) putHeader() error { return b.data.Put(headerKey(b.h.Batch), b.raw) }

// putAll writes one part of every node, each with its checksum.
func (b *batch) putAll(p part, values [][]byte) error {
	for i, v := range values {
		if err := b.put(p, i, checked(v)); err != nil {
			return err
		}
	}
	return nil
}

// getAll reads what putAll wrote.
func (s *Store) getAll(b *batch, p part, limit int) ([][]byte, error) {
	out := make([][]byte, b.h.N)
	for i := range out {
		var ok bool
		if out[i], ok = unchecked(b.get(p, i), limit); !ok {
			return nil, s.damaged(fmt.Sprintf("batch %s: the checksum of %c/%d is wrong", b.h.Batch, p, i))
		}
	}
	return out, nil
}

// entries gives the keys value, of the length that the header wants.
func (s *Store) entries(b *batch) ([]byte, error) {
	all := b.get(partKeys, 0)
	if len(all) != b.h.K*b.h.entrySize() {
		return nil, s.damaged("batch " + b.h.Batch + ": its keys have the wrong length")
	}
	return all, nil
}

func (s *Store) isComplete(b *batch) (bool, error) {
	mark := b.get(partComplete, 0)
	if mark == nil {
		return false, nil
	}
	if !s.openComplete(b.h, b.raw, mark) {
		return false, s.damaged("batch " + b.h.Batch + ": the mark of its completion does not open")
	}
	return true, nil
}

// find gives a batch, or ErrUnknown.
func (s *Store) find(tx *bolt.Tx, id string) (*batch, error) {
	if !validBatchID(id) {
		return nil, fmt.Errorf("batch id is not 32 lower-case hexadecimal characters: %w", ErrUnknown)
	}
	data := tx.Bucket(bucketData)
	raw := data.Get(headerKey(id))
	if raw == nil {
		return nil, fmt.Errorf("batch %s: %w", id, ErrUnknown)
	}
	return s.batch(data, id, raw)
}

func (s *Store) batch(data *bolt.Bucket, id string, raw []byte) (*batch, error) {
	h, err := decodeHeader(raw)
	if err == nil && h.Batch != id {
		err = errors.New("it is another batch's")
	}
	if err != nil {
		return nil, s.damaged(fmt.Sprintf("header of batch %.32q: %v", id, err))
	}
	return &batch{data: data, h: h, raw: raw}, nil
}

// each walks all batches in the order of their ids.
func (s *Store) each(tx *bolt.Tx, f func(*batch) error) error {
	data := tx.Bucket(bucketData)
	walk := data.Cursor()
	prefix := []byte{prefixHeader}
	for name, raw := walk.Seek(prefix); bytes.HasPrefix(name, prefix); name, raw = walk.Next() {
		if len(name) != 1+batchIDChars {
			return s.damaged("the name of a header has the wrong length")
		}
		b, err := s.batch(data, string(name[1:]), raw)
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
	return s.each(tx, func(b *batch) error {
		s.batches.Add(1)
		s.keys.Add(int64(b.h.K))
		return nil
	})
}
