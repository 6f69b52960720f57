//go:build unix && !solaris && !aix

package keystore

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// lock takes the lock that bbolt takes a moment later on the same handle, so
// that the file is looked at while nobody writes it. It waits for lockWait, as
// the last process may be about to end.
func lock(f *os.File) error {
	for start := time.Now(); ; time.Sleep(lockWait / 10) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Since(start) > lockWait {
			return ErrLocked
		}
	}
}

// unlock lets go of the lock. Closing the file isn't enough: the memory map,
// which nobody can undo after a fault, keeps the lock alive.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
