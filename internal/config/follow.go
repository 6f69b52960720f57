package config

import (
	"context"
	"os"
	"time"
)

// lookEvery is how often a followed access list is looked at.
const lookEvery = 2 * time.Second

// FollowAccess reads an access list again whenever its file changes, until ctx
// ends, and calls changed with what it read, or with why it can't be read. A file
// that somebody is still writing may be a valid list that lacks half its entries, so
// a change counts once the file has stood still between two looks. A value from
// now has it read at once. The first look reads it in any case.
func FollowAccess[T any](ctx context.Context, path string, now <-chan T, changed func(*Access, error)) {
	f := followed{path: path, changed: changed}
	f.read()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-now:
			f.read()
		case <-tick.C:
			f.look()
		}
	}
}

// followed is an access list's file.
type followed struct {
	path    string
	changed func(*Access, error)
	last    os.FileInfo // at the last look; nil: not there
	taken   os.FileInfo // as it was when it was read
	failed  string      // why it could not be read; empty if it could
}

// look reads the file if it stands still and is not what was read.
func (f *followed) look() {
	info, err := os.Stat(f.path)
	if err != nil {
		f.last = nil
		f.fail(err)
		return
	}
	still := same(info, f.last)
	f.last = info
	if still && (f.failed != "" || !same(info, f.taken)) {
		f.read()
	}
}

func (f *followed) read() {
	before, _ := os.Stat(f.path)
	list, err := LoadAccess(f.path)
	if err != nil {
		f.fail(err)
		return
	}
	if after, err := os.Stat(f.path); err != nil || !same(before, after) {
		return // it changed under the reader: the next look decides
	}
	f.taken, f.failed = before, ""
	f.changed(list, nil)
}

// fail reports a failure that was not reported yet.
func (f *followed) fail(err error) {
	if f.failed != err.Error() {
		f.failed = err.Error()
		f.changed(nil, err)
	}
}

// same reports whether a file was not changed between two looks.
func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
