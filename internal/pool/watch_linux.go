package pool

import "syscall"

// watch has Go's monitor of the scheduler watch what comes now, which may take long: it has a
// goroutine that computes for 10 ms give its processor to others, and looks at the network while
// all processors are busy. It sleeps while a program does nothing, and wakes at a system call
// that Go is told of; connections make others (package natsconn).
func watch() { _, _, _ = syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0) }
