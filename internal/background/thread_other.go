//go:build !linux

package background

// Thread does nothing here: threads have no priorities of their own.
func Thread() {}
