package pool

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// backgroundNice is how much less of a core a background thread gets than others that
// want it: about a tenth.
const backgroundNice = 10

// background has the calling goroutine run on a thread of its own that gives way to all
// others of the machine, for as long as the goroutine lives. Linux has priorities of
// threads under setpriority, against POSIX. That it fails costs nothing but time.
func background() {
	runtime.LockOSThread() // without unlock: the thread ends with the goroutine
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), backgroundNice)
}
