package keystore

import (
	"encoding/binary"

	bolt "go.etcd.io/bbolt"
)

// keyLedger, in the meta bucket, says that the node has a ledger beside the keystore, and the
// number of its state.
var keyLedger = []byte("ledger")

// Ledger is the number of the latest state of the node's ledger that NoteLedger was told of,
// in this or an earlier process; had is false if it was told of none.
func (s *Store) Ledger() (seq uint64, had bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		if noted := tx.Bucket(bucketMeta).Get(keyLedger); len(noted) == 8 {
			seq, had = binary.BigEndian.Uint64(noted), true
		}
		return nil
	})
	return seq, had, err
}

// NoteLedger notes that the node has a ledger, and the number of its state: one that is
// missing later was lost, and one with a lower number is an old copy.
func (s *Store) NoteLedger(seq uint64) error {
	return s.update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(keyLedger, binary.BigEndian.AppendUint64(nil, seq))
	})
}
