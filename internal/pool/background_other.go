//go:build !linux

package pool

// background does nothing here: threads have no priorities of their own.
func background() {}
