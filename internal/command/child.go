package command

import (
	"os/exec"
	"runtime"
	"sync"
)

// StartChild starts a program that ends with this process, however that ends, and keeps a
// terminal's Ctrl-C for this process, which ends its children in order.
//
// The kernel has a child end with the thread that started it, and threads end: one that a
// goroutine has locked does with it. So a thread that does not end starts all children.
func StartChild(cmd *exec.Cmd) error {
	cmd.SysProcAttr = childAttributes()
	started := make(chan error)
	starter() <- func() { started <- cmd.Start() }
	return <-started
}

var starter = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() {
		runtime.LockOSThread()
		for call := range calls {
			call()
		}
	}()
	return calls
})
