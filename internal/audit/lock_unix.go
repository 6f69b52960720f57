//go:build unix && !solaris && !aix

package audit

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// lock takes the lock of a log's folder. It waits for lockWait, as the last process may be
// about to end.
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
