package keystore

import bolt "go.etcd.io/bbolt"

// bbolt reads its file through a memory map. Every page that was read counts
// as the process's memory, although it is a copy of the disk's, until the system
// wants it back: a worker would seem to need as much memory as it has keys. So
// the store gives the pages back itself now and then. They stay in the system's
// cache, and to read one again costs a microsecond.

// What calls bring into memory, about. Linux maps 64 KiB at a time
// (fault_around_bytes).
const (
	touchedByRead  = 128 << 10 // of one batch
	touchedByWrite = 4 << 20   // what is put in moves its neighbours
	touchedAtMost  = 16 << 20
)

// touch counts what was read, within its transaction: while that lasts, the map
// stays where it is and is no shorter than the transaction's Size.
func (s *Store) touch(tx *bolt.Tx, bytes int64) {
	if s.touched.Add(bytes) < touchedAtMost {
		return
	}
	s.touched.Store(0)
	release(s.db.Info().Data, uintptr(tx.Size()))
}
