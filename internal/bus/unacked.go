package bus

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// How long nothing that is published to a stream may be acknowledged, and how old
// the last failure may be that says so: who publishes nothing more has no trouble.
const (
	unackedAfter  = 5 * time.Second
	unackedRecent = 3 * unackedAfter
)

// unacked is since when each stream stores nothing.
type unacked struct {
	mu      sync.Mutex
	streams map[Stream]failing
}

type failing struct {
	since, last time.Time
	err         error
}

// note takes the outcome of an attempt that began at start.
func (u *unacked) note(stream Stream, start time.Time, err error) {
	if err != nil && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNoStream) {
		return // refused by somebody who is there, given up by the caller, or there is no connection
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	f, before := u.streams[stream]
	switch {
	case err == nil && !before:
	case err == nil:
		delete(u.streams, stream)
	default:
		if !before || start.Sub(f.last) > unackedRecent {
			f.since = start
		}
		if u.streams == nil {
			u.streams = map[Stream]failing{}
		}
		u.streams[stream] = failing{since: f.since, last: time.Now(), err: err}
	}
}

// Publishing returns which stream has stored nothing of what this process has
// published to it for 5 s; nil if none. No work waits for dead letters and heartbeats.
func (b *Bus) Publishing() error {
	u := &b.unacked
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, d := range b.streams() {
		f, ok := u.streams[d.Name]
		now := time.Now()
		if !ok || d.Name == DeadLetter || d.Name == Presence || now.Sub(f.last) >= unackedRecent || now.Sub(f.since) < unackedAfter {
			continue
		}
		return fmt.Errorf("%s has acknowledged nothing for %d s: %w", d.Name, int(now.Sub(f.since).Seconds()), f.err)
	}
	return nil
}
