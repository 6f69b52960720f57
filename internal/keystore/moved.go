package keystore

import (
	"bytes"
	"encoding/binary"
	"errors"

	bolt "go.etcd.io/bbolt"
)

// ErrMoved says that the batch's keys have new shares, under the manifest that follows this
// node's: those here sign nothing any more.
var ErrMoved = errors.New("batch has moved to the next manifest")

// movedPrefix begins the names of moved batches in the meta bucket.
var movedPrefix = []byte("moved/")

func movedKey(batch string) []byte { return append(bytes.Clone(movedPrefix), batch...) }

func isMoved(tx *bolt.Tx, batch string) bool {
	return tx.Bucket(bucketMeta).Get(movedKey(batch)) != nil
}

// MarkMoved notes, for ever, that a batch has moved to the next manifest: a store is one
// manifest's, and no batch comes back. It need not be stored, or not yet.
func (s *Store) MarkMoved(batch string) error {
	if !validBatchID(batch) {
		return errNoID
	}
	return s.update(func(tx *bolt.Tx) error {
		if isMoved(tx, batch) {
			return errNoChange
		}
		return errors.Join(raise(tx), tx.Bucket(bucketMeta).Put(movedKey(batch), []byte{1}))
	})
}

// raise notes that the store has what a program does not know that reads format 1 only: it
// would sign with shares that have moved.
func raise(tx *bolt.Tx) error {
	return tx.Bucket(bucketMeta).Put(keyVersion, binary.BigEndian.AppendUint32(nil, formatVersion))
}
