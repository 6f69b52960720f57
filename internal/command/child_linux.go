package command

import "syscall"

// ChildAttributes has the kernel end a child when its parent is gone, and
// keeps a terminal's Ctrl-C for the parent, who ends the children in order.
func ChildAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
