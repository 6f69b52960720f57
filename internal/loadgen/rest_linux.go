package loadgen

import (
	"syscall"
	"time"
)

// rest sleeps for a moment by the kernel's own clock, which is right to some 50
// microseconds.
func rest(d time.Duration) {
	for d > 0 {
		ts, left := syscall.NsecToTimespec(int64(d)), syscall.Timespec{}
		if err := syscall.Nanosleep(&ts, &left); err == nil {
			return
		}
		d = time.Duration(left.Nano()) // a signal came in between
	}
}
