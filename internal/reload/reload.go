// Package reload takes changed files into a running program: it watches them, has
// them judged, has what is good put in force, and says what became of it.
//
// Files are looked at every two seconds, by what they hold. Their names, times and
// sizes would not do: a Kubernetes volume replaces a link above them, deployments that
// can be repeated give all files one time, and a revocation of another node has the
// same size. A change counts once two looks in a row saw the same, as a file that
// somebody still writes may be a valid one that lacks half of its entries, and of a
// certificate and its key one comes first.
package reload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// every is how often files are looked at.
const every = 2 * time.Second

// Thing is something that a program reads from files and can take anew while it runs.
type Thing struct {
	Name  string        // in the log, in /readyz and in metrics
	Files []secret.File // text; they belong together

	// Also are files that the first ones name, nil: none. A change of one has Take called,
	// which reads them itself.
	Also func() []secret.File

	// Take judges what the files hold, in their order, and puts all of it in force, or
	// changes nothing and says why, naming the file. The texts are wiped once it
	// returns. It is called at the start, when the files changed, when a person asks,
	// and again while it fails.
	Take func(texts [][]byte) (Taken, error)
}

// Taken is what a Thing's files brought. Nothing in it is secret.
type Taken struct {
	Changed  []string // how it differs from what was in force before; none: it does not
	Grave    bool     // a person should see it: it takes something away
	Warnings []string // what is valid, but is probably meant otherwise, or has to wait for a restart
}

// Reloader keeps things as their files are.
type Reloader struct {
	log    *slog.Logger
	things []*watched
}

// New makes a reloader. Run starts it.
func New(log *slog.Logger, things ...Thing) *Reloader {
	r := &Reloader{log: log}
	for _, t := range things {
		r.things = append(r.things, &watched{Thing: t})
	}
	return r
}

// Run watches until ctx ends. A value from asked, as of SIGHUP, has all files judged at
// once, and the log then says so even if there is nothing to say.
func Run[T any](ctx context.Context, r *Reloader, asked <-chan T) {
	r.look(false, true)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
			r.look(true, true)
		case <-tick.C:
			r.look(false, false)
		}
	}
}

// look looks at all files. asked: somebody wants to know; atOnce: what is there counts,
// be it as at the look before or not.
func (r *Reloader) look(asked, atOnce bool) {
	said := false
	for _, w := range r.things {
		said = r.report(w, w.look(time.Now(), asked, atOnce)) || said
	}
	if asked && !said {
		r.log.Info("asked to reload: nothing has changed")
	}
}

// report logs what a look brought, and reports whether there was anything to say.
func (r *Reloader) report(w *watched, n news) bool {
	of := []any{"what", w.Name, "file", w.paths()}
	for _, warning := range n.Warnings {
		r.log.Warn(warning, of...)
	}
	switch {
	case n.err != nil:
		r.log.Error("not reloaded: what was in force stays in force", append(of, "since", stamp(n.since), "err", n.err)...)
	case len(n.Changed) > 0:
		level := slog.LevelInfo
		if n.Grave {
			level = slog.LevelWarn
		}
		r.log.Log(context.Background(), level, "reloaded", append(of, "changed", strings.Join(n.Changed, "; "))...)
	case n.recovered:
		r.log.Info("good again, and as what is in force", of...)
	default:
		return len(n.Warnings) > 0
	}
	return true
}

// Err is why files are not in force that should be, nil if all are.
func (r *Reloader) Err() error {
	var all []error
	for _, w := range r.things {
		if since, err := w.failure(); err != nil {
			all = append(all, fmt.Errorf("%s: refused since %s, and the one from before is in force: %w",
				w.Name, stamp(since), err))
		}
	}
	return errors.Join(all...)
}

// Each calls f for each thing, with whether its files are refused.
func (r *Reloader) Each(f func(name string, refused bool)) {
	for _, w := range r.things {
		_, err := w.failure()
		f(w.Name, err != nil)
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// watched is a thing and what is known of its files.
type watched struct {
	Thing
	last   [32]byte // what the last look saw
	judged [32]byte // what Take saw last
	moved  int      // looks in a row, up to the last, that saw something new

	mu    sync.Mutex
	err   error // why what is there is not in force
	since time.Time
}

func (w *watched) failure() (since time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.since, w.err
}

func (w *watched) paths() string {
	names := make([]string, len(w.Files))
	for i, f := range w.Files {
		names[i] = f.Path
	}
	return strings.Join(names, " ")
}
