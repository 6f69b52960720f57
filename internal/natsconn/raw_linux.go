package natsconn

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var receive, send transfer = receiveNow, sendNow

// order tells the race detector that what was sent was so before what is received later, as
// package syscall does for its calls.
var order atomic.Uint64

// receiveNow is recv(2) that waits for nothing; p is not empty.
func receiveNow(fd uintptr, p []byte) (n int, errno syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
		syscall.MSG_DONTWAIT, 0, 0)
	order.Load()
	return count(r, errno), errno
}

// mostAtOnce bounds how long a write takes, which nothing of this program interrupts.
const mostAtOnce = 64 << 10

// sendNow is send(2) that waits for nothing; p is not empty.
func sendNow(fd uintptr, p []byte) (n int, errno syscall.Errno) {
	order.Add(1)
	r, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&p[0])),
		uintptr(min(len(p), mostAtOnce)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	return count(r, errno), errno
}

func count(r uintptr, errno syscall.Errno) int {
	if errno != 0 {
		return 0
	}
	return int(r)
}
