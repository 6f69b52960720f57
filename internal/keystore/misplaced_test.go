package keystore

import (
	"errors"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Whoever can write the file and does not have the seal key moves what was sealed to
// another place: it does not open there.

// tamper changes a stored batch in place.
func (s *Store) tamper(t *testing.T, id string, change func(tx *bolt.Tx, b *batch) error) {
	t.Helper()
	if err := s.update(func(tx *bolt.Tx) error {
		b, err := s.find(tx, Ref{Batch: id})
		if err != nil {
			return err
		}
		return change(tx, b)
	}); err != nil {
		t.Fatal(err)
	}
}

// stored is a store with two batches, of which the first is complete.
func stored(t *testing.T) *Store {
	s := open(t, t.TempDir())
	for i := range 2 {
		r := sample(i, 3, 2, 2, frost.Ed25519)
		if err := s.Certify(r); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := s.Complete(r.ref(), r.Certificates); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, complete := range []bool{true, false} {
		if key, err := s.Key(batchID(i), 0); err != nil || key.Complete != complete {
			t.Fatalf("batch %d: %+v, %v", i, key, err)
		}
	}
	return s
}

// refuses fails the test unless a key is damaged.
func (s *Store) refuses(t *testing.T, id string) {
	t.Helper()
	if key, err := s.Key(id, 0); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %+v, %v; want ErrDamaged", key, err)
	}
}

func TestMarkOfAnotherBatch(t *testing.T) {
	s := stored(t)
	s.tamper(t, batchID(1), func(tx *bolt.Tx, b *batch) error {
		complete, err := s.find(tx, Ref{Batch: batchID(0)})
		if err != nil {
			return err
		}
		return b.put(partComplete, 0, complete.get(partComplete, 0))
	})
	s.refuses(t, batchID(1))
}

func TestShareOfAnotherHeader(t *testing.T) {
	for name, change := range map[string]func(*header){
		"owner":      func(h *header) { h.Owner = "mallory99" },
		"index":      func(h *header) { h.Index++ },
		"transcript": func(h *header) { h.Transcript[0]++ },
		"context":    func(h *header) { h.Context[0]++ },
	} {
		t.Run(name, func(t *testing.T) {
			s := stored(t)
			s.tamper(t, batchID(1), func(_ *bolt.Tx, b *batch) (err error) {
				change(b.h)
				if b.raw, err = b.h.encode(); err != nil {
					return err
				}
				return b.putHeader()
			})
			s.refuses(t, batchID(1))
		})
	}
}

// The share of one key under the public key of another.
func TestShareOfAnotherKey(t *testing.T) {
	s := stored(t)
	s.tamper(t, batchID(1), func(_ *bolt.Tx, b *batch) error {
		all := append([]byte(nil), b.get(partKeys, 0)...)
		size := b.h.entrySize()
		copy(all[:size-sealedShare], all[size:])
		return b.put(partKeys, 0, all)
	})
	s.refuses(t, batchID(1))
}
