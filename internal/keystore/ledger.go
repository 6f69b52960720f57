package keystore

import bolt "go.etcd.io/bbolt"

// keyLedger, in the meta bucket, says that the node has a ledger beside the keystore.
var keyLedger = []byte("ledger")

// HadLedger reports whether NoteLedger was called, in this or an earlier process.
func (s *Store) HadLedger() (had bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		had = tx.Bucket(bucketMeta).Get(keyLedger) != nil
		return nil
	})
	return had, err
}

// NoteLedger notes, for ever, that the node has a ledger: one that is missing later was
// lost.
func (s *Store) NoteLedger() error {
	return s.update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta.Get(keyLedger) != nil {
			return errNoChange
		}
		return meta.Put(keyLedger, []byte{1})
	})
}
