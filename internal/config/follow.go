package config

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// lookEvery is how often a followed file is looked at.
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
	follow(ctx, now, &followed[*Access]{
		text:    func() (*secret.Bytes, error) { return textOf(path, new(Access)) },
		parse:   func(text []byte) (*Access, error) { return parse(path, text, new(Access), false) },
		changed: changed,
	})
}

// follow looks at a file until ctx ends.
func follow[T, D any](ctx context.Context, now <-chan T, f *followed[D]) {
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

// followed is a file that is read again whenever it changes.
type followed[D any] struct {
	text    func() (*secret.Bytes, error)
	parse   func(text []byte) (D, error)
	changed func(D, error)
	last    *[32]byte // the text's hash at the last look; nil: it could not be read
	judged  *[32]byte // of the text that was last reported, be it good or not
	failed  string    // why it can't be used; empty if it can
}

// look reads the file, and reports what it has if that is news and stands still, or
// is wanted at once.
func (f *followed[D]) look(atOnce bool) {
	text, err := f.text()
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
	read, err := f.parse(text.Expose())
	if err != nil {
		f.fail(err)
		return
	}
	f.failed = ""
	f.changed(read, nil)
}

// fail reports a failure that was not reported yet.
func (f *followed[D]) fail(err error) {
	if f.failed != err.Error() {
		f.failed = err.Error()
		var none D
		f.changed(none, err)
	}
}
