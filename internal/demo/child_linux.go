package demo

import "syscall"

// childAttributes has the kernel end a child when its parent is gone, and
// keeps a terminal's Ctrl-C for the parent, who ends the children in order.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
