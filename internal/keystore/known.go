package keystore

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Known walks all generations of all batches, those of one batch ascending: what a node has
// certified, what of it is complete, and of what MarkMoved said that it moved on. It reads
// headers only.
func (s *Store) Known(f func(ref Ref, transcript, madeBy [32]byte, complete, moved bool)) error {
	return s.view(func(tx *bolt.Tx) error {
		return s.each(tx, func(b *batch) error {
			done, err := s.isComplete(b)
			if err == nil {
				f(b.h.ref(), b.h.Transcript, b.h.MadeBy, done, isMoved(tx, b.h.Batch))
			}
			return err
		})
	})
}

// Find gives the generation of a batch whose transcript begins so, as it is listed among what
// nodes hold.
func (s *Store) Find(id string, transcript [16]byte) (ref Ref, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		found := false
		err := s.generations(tx, id, func(b *batch) error {
			if [16]byte(b.h.Transcript[:]) == transcript {
				ref, found = b.h.ref(), true
			}
			return nil
		})
		if err == nil && !found {
			err = fmt.Errorf("batch %s with transcript %x: %w", id, transcript, ErrUnknown)
		}
		return err
	})
	return ref, err
}
