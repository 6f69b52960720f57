package keystore

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// errNoChange ends an update that has nothing to write, and costs no fsync.
var errNoChange = errors.New("nothing to write")

// guard runs f, which touches the database. bbolt trusts its file: pages that
// don't fit together make it panic, and a file cut short faults in the memory
// map. Both become ErrDamaged here, and the store refuses all further work.
func (s *Store) guard(f func() error) (err error) {
	if s.broken.Load() {
		return s.damaged("an earlier call failed on it")
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			s.broken.Store(true)
			err = s.damaged(fmt.Sprint(fault))
		}
	}()
	err = f()
	if errors.Is(err, bolterrors.ErrIncompatibleValue) {
		return s.damaged("a value is where a bucket belongs")
	}
	return err
}

func (s *Store) damaged(why string) error {
	return fmt.Errorf("%w: %s: %s: %s", ErrDamaged, s.path, why, rebuild)
}

// view runs f in a read transaction. Bytes of the database are copied before
// f returns.
func (s *Store) view(f func(*bolt.Tx) error) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return ErrClosed
	}
	return s.guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			defer s.touch(tx, touchedByRead)
			return f(tx)
		})
	})
}

// update runs f in a write transaction, durable when update returns nil.
func (s *Store) update(f func(*bolt.Tx) error) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return ErrClosed
	}
	err := s.guard(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			defer s.touch(tx, touchedByWrite)
			return f(tx)
		})
	})
	switch {
	case errors.Is(err, errNoChange):
		return nil
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return ErrClosed
	case err != nil:
		return err
	}
	return s.present()
}

// Present tells whether the store can be used: its file is where it was opened,
// and nothing in it was found damaged.
func (s *Store) Present() error {
	if s.broken.Load() {
		return s.damaged("an earlier call failed on it")
	}
	return s.present()
}

// present tells whether the name still leads to the file that is open. It is
// asked after each commit: a store removed under a running node must not let
// it certify.
func (s *Store) present() error {
	info, err := os.Stat(s.path)
	if err == nil && os.SameFile(info, s.file) {
		return nil
	}
	return fmt.Errorf("%w: %s: restart the worker", ErrGone, s.path)
}
