//go:build !amd64 || purego

package consttime

// set is setEach.
func (e *entry) set(row []entry, index uint64) { e.setEach(row, index) }
