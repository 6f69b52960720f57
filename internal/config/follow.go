package config

import (
	"context"
	"crypto/sha256"
	"time"
)

// lookEvery is how often a followed access list is looked at.
const lookEvery = 2 * time.Second

// FollowAccess reads an access list again whenever its file changes, until ctx
// ends, and calls changed with what it read, or with why it can't be read. A file
// that somebody is still writing may be a valid list that lacks half its entries, so
// a change counts once two looks in a row saw the same. A value from now has it read
// at once. The first look reads it in any case.
//
// Each look reads the file. Its size and time would not do: deployments that can be
// repeated give all files one time, and a revocation of another node has the same size.
func FollowAccess[T any](ctx context.Context, path string, now <-chan T, changed func(*Access, error)) {
	f := followed{path: path, changed: changed}
	f.look(true)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-now:
			f.look(true)
		case <-tick.C:
			f.look(false)
		}
	}
}

// followed is an access list's file.
type followed struct {
	path    string
	changed func(*Access, error)
	last    *[32]byte // the text's hash at the last look; nil: it could not be read
	judged  *[32]byte // of the text that was last reported, be it a list or not
	failed  string    // why there is no list; empty if there is
}

// look reads the file, and reports what it has if that is news and stands still, or
// is wanted at once.
func (f *followed) look(atOnce bool) {
	text, err := textOf(f.path, new(Access))
	if err != nil {
		f.last, f.judged = nil, nil
		f.fail(err)
		return
	}
	hash := sha256.Sum256(text.Expose())
	still := atOnce || f.last != nil && *f.last == hash
	if f.last = &hash; !still || f.judged != nil && *f.judged == hash {
		return
	}
	f.judged = &hash
	list, err := parse(f.path, text.Expose(), new(Access), false)
	if err != nil {
		f.fail(err)
		return
	}
	f.failed = ""
	f.changed(list, nil)
}

// fail reports a failure that was not reported yet.
func (f *followed) fail(err error) {
	if f.failed != err.Error() {
		f.failed = err.Error()
		f.changed(nil, err)
	}
}
