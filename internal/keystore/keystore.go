// Package keystore is a node's storage: its copy of the deals, its shares of
// the keys, which transcripts it certified, and how far it has read KEYS.
//
// It is a bbolt database in one file. Every write is one transaction that is
// on the disk (fsync) when the call returns, so a node certifies a batch only
// after its copy of the deals can no longer be lost.
//
// Shares are sealed one by one with XChaCha20-Poly1305 under a key derived
// from the node's device. The associated data of a share is the whole header
// of its batch, its index, its public key and its commitments: what Key
// returns was stored together, or it returns an error. The mark that a batch
// is complete is sealed in the same way, and deals carry a checksum. What
// this doesn't stop is somebody who puts back an older file as a whole, or takes out the
// note that a batch has moved.
//
// A store is one manifest's: its seal key binds that. It may have several generations of
// a batch, one for each attempt at moving its keys to this manifest's nodes that came so
// far; the highest complete one signs.
//
// Everything here can be rebuilt from KEYS and the node's device, so the mend
// for a lost, damaged or foreign file is to remove it.
package keystore

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// FileName is the database's name in the storage directory.
const FileName = "keystore.db"

const (
	firstFormat   = 1       // a store that has generations 0 only, of which none has moved
	formatVersion = 2       // any other; both are read
	mapSize       = 1 << 30 // bytes of address space, not of memory: growing the map stops everybody
	lockWait      = 200 * time.Millisecond
)

var (
	// ErrUnknown says that the batch, or this generation of it, is not stored.
	ErrUnknown = errors.New("batch is not in the keystore")
	// ErrOtherTranscript says that this generation of the batch was certified over another
	// transcript. It is never certified again: the caller stops the batch.
	ErrOtherTranscript = errors.New("batch was certified over another transcript")
	// ErrLocked says that another process has the storage open.
	ErrLocked = errors.New("keystore is in use by another process")
	// ErrSealKey says that the seal key doesn't open this file.
	ErrSealKey = errors.New("keystore was sealed with another derivation key, or for another manifest")
	// ErrDamaged says that the file's content can't be what was written.
	ErrDamaged = errors.New("keystore is damaged")
	// ErrGone says that the file was removed while it was open: what is
	// written now would reach no disk.
	ErrGone = errors.New("keystore was removed or replaced while open")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("keystore is closed")
)

const rebuild = "stop the worker, move the file away and start again: " +
	"it is rebuilt from KEYS and the node's key provider"

// Names of buckets and keys in the database. bbolt copies a bucket whose place
// in the page isn't a multiple of four, at the length that the page claims: so
// there are two buckets, and their names keep to it.
var (
	bucketData = []byte("data")
	bucketMeta = []byte("meta")
	keyVersion = []byte("version")
	keyCheck   = []byte("check")
	keyCursor  = []byte("cursor")
	keyProbe   = []byte("probe") // there for a moment only
)

// Store is an open keystore. Its methods may be called concurrently.
type Store struct {
	path   string
	file   os.FileInfo // identity of what was opened
	db     *bolt.DB
	handle *os.File // bbolt's own file, to let go of the lock after a fault
	aead   cipher.AEAD

	life   sync.RWMutex // held for writing by Close only
	closed bool
	broken atomic.Bool // bbolt panicked: its locks can't be trusted

	batches, keys atomic.Int64
	touched       atomic.Int64 // bytes, about, that were read since memory was given back
}

// Open opens the storage in dir, or makes it (dir with mode 0700). The seal
// key is the node's, from its derivation key; the caller wipes it.
func Open(dir string, seal *[32]byte) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("storage directory: %w", err)
	}
	if err := refuseRetired(dir); err != nil {
		return nil, err
	}
	aead, err := newAEAD(seal)
	if err != nil {
		return nil, err
	}
	s := &Store{path: filepath.Join(dir, FileName), aead: aead}
	if err := s.open(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open() error {
	err := s.guard(func() (err error) {
		s.db, err = bolt.Open(s.path, 0o600, &bolt.Options{Timeout: lockWait, OpenFile: s.openFile, InitialMmapSize: mapSize})
		return err
	})
	var system syscall.Errno
	switch {
	case errors.Is(err, ErrLocked), errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: %s: stop the other worker, or give each its own storage_path", ErrLocked, s.path)
	case errors.As(err, &system), errors.Is(err, ErrDamaged):
		return fmt.Errorf("open keystore: %w", err)
	case err != nil: // what remains is verify's and bbolt's opinion of the content
		return s.damaged(err.Error())
	}
	if s.file, err = s.handle.Stat(); err != nil {
		return fmt.Errorf("open keystore: %w", err)
	}
	if err := s.update(s.initialise); err != nil {
		return err
	}
	if err := secret.SyncDir(filepath.Dir(s.path)); err != nil {
		return fmt.Errorf("storage directory: %w", err)
	}
	return s.view(s.count)
}

// openFile is what bbolt opens its file with. It hands over a file that is
// locked and of which the structure is sound.
func (s *Store) openFile(name string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(name, flag, mode)
	if err != nil {
		return nil, err
	}
	s.handle = f
	if err := lock(f); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := verify(f, info.Size()); err != nil {
		return nil, err
	}
	return f, nil
}

// initialise fills an empty database, or checks that a used one is of this
// format and opens under the seal key.
func (s *Store) initialise(tx *bolt.Tx) error {
	// A fresh bbolt file has four pages, and its meta page says so under a
	// checksum. A used file is never taken for a fresh one.
	if tx.Size() <= 4*int64(s.db.Info().PageSize) {
		meta, err := tx.CreateBucket(bucketMeta)
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucket(bucketData); err != nil {
			return err
		}
		check, err := s.sealCheck()
		if err != nil {
			return err
		}
		version := binary.BigEndian.AppendUint32(nil, firstFormat)
		return errors.Join(meta.Put(keyVersion, version), meta.Put(keyCheck, check))
	}
	meta := tx.Bucket(bucketMeta)
	if meta == nil || tx.Bucket(bucketData) == nil {
		return s.damaged("a bucket is missing")
	}
	version := meta.Get(keyVersion)
	if len(version) != 4 {
		return s.damaged("its version is not four bytes")
	}
	if v := binary.BigEndian.Uint32(version); v < firstFormat || v > formatVersion {
		return fmt.Errorf("keystore %s has format %d and this program reads formats %d and %d: %s", s.path, v, firstFormat,
			formatVersion, rebuild)
	}
	if !s.openCheck(meta.Get(keyCheck)) {
		return fmt.Errorf("%w: %s: check [node.key_provider], storage_path and "+
			"manifest.json; if the key or the manifest was changed on purpose, %s",
			ErrSealKey, s.path, rebuild)
	}
	return errNoChange
}

// Close waits for the calls under way and lets go of the file. It may be
// called again.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.aead = nil
	if s.db == nil || s.broken.Load() {
		if s.handle != nil {
			unlock(s.handle)
			_ = s.handle.Close() // bbolt may have closed it
		}
		return nil
	}
	return s.db.Close()
}

// Stats gives the number of stored batches and of keys in them.
func (s *Store) Stats() (batches, keys int) {
	return int(s.batches.Load()), int(s.keys.Load())
}
