//go:build unix && !solaris && !aix

package keystore

import (
	"os"
	"syscall"
)

// unlock lets go of bbolt's lock. Closing the file isn't enough: the memory
// map, which nobody can undo after a fault, keeps the lock alive.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
