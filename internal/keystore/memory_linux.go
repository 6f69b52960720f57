package keystore

import "syscall"

// release tells the system that a shared map of a file is not needed for now.
// It is advice: what comes of it changes no content.
func release(data, size uintptr) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, data, size, syscall.MADV_DONTNEED)
}
