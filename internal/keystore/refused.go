package keystore

import (
	"bytes"

	bolt "go.etcd.io/bbolt"
)

// refusedPrefix begins the names of refused batches in the meta bucket.
var refusedPrefix = []byte("refused/")

// Refuse notes, for ever, that a batch has two valid entries: nobody knows which keys
// are its, so none of them signs.
func (s *Store) Refuse(batch string) error {
	if !validBatchID(batch) {
		return errNoID
	}
	name := append(bytes.Clone(refusedPrefix), batch...)
	return s.update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta.Get(name) != nil {
			return errNoChange
		}
		return meta.Put(name, []byte{1})
	})
}

// Refused lists the batches that Refuse noted.
func (s *Store) Refused() (batches []string, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		walk := tx.Bucket(bucketMeta).Cursor()
		for name, _ := walk.Seek(refusedPrefix); bytes.HasPrefix(name, refusedPrefix); name, _ = walk.Next() {
			batches = append(batches, string(name[len(refusedPrefix):]))
		}
		return nil
	})
	return batches, err
}
