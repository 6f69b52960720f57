package background

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Niceness: step is how far down a thread goes, which leaves it about a tenth of a core
// that others want; lowest is the end of the scale.
const (
	step   = 10
	lowest = 19
)

// Thread has the calling goroutine run on a thread of its own that gives way, for as
// long as the goroutine lives. Linux knows priorities of threads under setpriority,
// which POSIX gives to processes. That it fails costs nothing but time.
func Thread() {
	runtime.LockOSThread() // without unlock: the thread ends with the goroutine
	thread := unix.Gettid()
	if raw, err := unix.Getpriority(unix.PRIO_PROCESS, thread); err == nil {
		nice := 20 - raw // as the system call says it, getpriority(2)
		_ = unix.Setpriority(unix.PRIO_PROCESS, thread, min(nice+step, lowest))
	}
}
