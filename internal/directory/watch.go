package directory

import (
	"context"
	"errors"
	"maps"
	"sync"
)

// maxWatchers bounds those who watch jobs at this gateway.
const maxWatchers = 10_000

// watchers are those who watch, by job. None has a goroutine: after a commit, those of the jobs
// that it changed are told, and nobody else is looked at.
type watchers struct {
	mu   sync.Mutex
	of   map[jobRef]map[*watcher]struct{}
	n    int
	done bool
}

type watcher struct {
	out  chan Job // has room for one: the newest
	sent Job
	any  bool // something was sent
	over bool
	stop func() bool // of what ends it with its context
}

func (w *watchers) init() { w.of = map[jobRef]map[*watcher]struct{}{} }

// Watch sends a job now and whenever its line changes, until ctx ends or it has ended; then
// it closes the channel. A slow reader gets the newest line and misses those between. "" is any
// client. ErrWatchers: 10,000 watch already.
func (d *Directory) Watch(ctx context.Context, client, id string) (<-chan Job, error) {
	// The lock is held from the reading on: what changes later is told by who changes it.
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	now, err := d.Job(client, id)
	if err != nil {
		return nil, err
	}
	w := &watcher{out: make(chan Job, 1)}
	w.send(now)
	if now.State.Ended() {
		close(w.out)
		return w.out, nil
	}
	if d.watch.n >= maxWatchers || d.watch.done {
		return nil, ErrWatchers
	}
	ref := jobRef{now.Client, now.ID}
	if d.watch.of[ref] == nil {
		d.watch.of[ref] = map[*watcher]struct{}{}
	}
	d.watch.of[ref][w] = struct{}{}
	d.watch.n++
	w.stop = context.AfterFunc(ctx, func() { d.watch.end(ref, w) })
	return w.out, nil
}

// end closes a watcher's channel, once.
func (w *watchers) end(ref jobRef, one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(ref, one)
}

func (w *watchers) remove(ref jobRef, one *watcher) {
	if one.over {
		return
	}
	one.over = true
	one.stop()
	close(one.out)
	w.n--
	if delete(w.of[ref], one); len(w.of[ref]) == 0 {
		delete(w.of, ref)
	}
}

// close ends all, and lets none come.
func (w *watchers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
	for ref, all := range w.of {
		for one := range all {
			w.remove(ref, one)
		}
	}
}

// watched are those of some jobs that somebody watches.
func (w *watchers) watched(touched map[jobRef]struct{}) (refs []jobRef) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ref := range touched {
		if len(w.of[ref]) > 0 {
			refs = append(refs, ref)
		}
	}
	return refs
}

// tell sends the lines of jobs to those who watch them.
func (d *Directory) tell(touched map[jobRef]struct{}) {
	refs := d.watch.watched(touched)
	if len(refs) == 0 {
		return
	}
	for _, ref := range refs {
		// The lock is held from the reading on: lines go out in the order in which they were.
		d.watch.mu.Lock()
		j, err := d.Job(ref.client, ref.id)
		for one := range d.watch.of[ref] {
			if err == nil {
				one.send(j)
			}
			if err == nil && j.State.Ended() || errors.Is(err, ErrNotFound) {
				d.watch.remove(ref, one)
			}
		}
		d.watch.mu.Unlock()
	}
}

// send leaves a line where the reader finds it, in the place of one that it did not read.
func (w *watcher) send(j Job) {
	if w.any && sameJob(w.sent, j) {
		return
	}
	w.any, w.sent = true, j
	select {
	case <-w.out:
	default:
	}
	w.out <- j
}

func sameJob(a, b Job) bool {
	return a.State == b.State && a.Done == b.Done && a.Count == b.Count && a.Code == b.Code && a.Error == b.Error &&
		a.Label == b.Label && a.Gateway == b.Gateway && a.Kind == b.Kind && a.Chain == b.Chain && a.Ended.Equal(b.Ended) &&
		a.Created.Equal(b.Created) && maps.Equal(a.Metadata, b.Metadata)
}
