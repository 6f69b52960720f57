package keystore

import bolt "go.etcd.io/bbolt"

// Known walks all batches: what a node has certified, and what of it is
// complete. It reads headers only.
func (s *Store) Known(f func(batch string, transcript [32]byte, complete bool)) error {
	return s.view(func(tx *bolt.Tx) error {
		return s.each(tx, func(b *batch) error {
			done, err := s.isComplete(b)
			if err == nil {
				f(b.h.Batch, b.h.Transcript, done)
			}
			return err
		})
	})
}
