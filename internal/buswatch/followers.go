package buswatch

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
)

// maxLag is how far reading may be behind before the process is not ready:
// its view is older than most jobs then.
const maxLag = 30 * time.Second

// unasked is since when a followed stream can't be asked about, and why not.
// Time without a connection does not count.
type unasked struct {
	since time.Time
	why   error
}

// reached notes whether a followed stream could be asked about.
func (w *Watcher) reached(stream bus.Stream, q *question) {
	switch {
	case q.err == nil:
		delete(w.unasked, stream)
	case w.interrupted(q.err):
	case w.unasked[stream].why == nil:
		w.unasked[stream] = unasked{since: q.asked, why: q.err}
	}
}

// followed are the followers of each stream.
func (w *Watcher) followed() map[bus.Stream][]*bus.Follower {
	out := make(map[bus.Stream][]*bus.Follower)
	for _, f := range w.bus.Followers() {
		out[f.Stream()] = append(out[f.Stream()], f)
	}
	return out
}

// followers compares with the ends of this sample; lagging is the first reason
// why this process is not up to date. Without its end a stream has a state only
// if reading had not even reached the last end seen.
func (w *Watcher) followers(now time.Time, ends map[bus.Stream]end) (states []FollowerState, lagging error) {
	followed := w.followed()
	maps.DeleteFunc(w.lags, func(f *bus.Follower, _ *lag) bool { return !slices.Contains(followed[f.Stream()], f) })
	maps.DeleteFunc(w.unasked, func(s bus.Stream, _ unasked) bool { return len(followed[s]) == 0 })
	for _, d := range w.declared {
		stream := d.Stream
		e, asked := ends[stream]
		worst := FollowerState{Stream: stream}
		late := time.Duration(0)
		for _, f := range followed[stream] {
			l := w.lags[f]
			if l == nil {
				l = new(lag)
				w.lags[f] = l
			}
			if asked {
				l.extend(e)
			}
			if f.CaughtUp() && l.caught.IsZero() { // before behind: what it finds is of a follower that has caught up
				l.caught = now
			}
			messages, since := l.behind(now, f.Handled())
			worst.Behind, worst.For = max(worst.Behind, messages), max(worst.For, since)
			late = max(late, l.late(now, since))
		}
		if len(followed[stream]) > 0 && asked || worst.Behind > 0 {
			states = append(states, worst)
		}
		if lagging == nil {
			lagging = w.tooLate(worst, late, now)
		}
	}
	return states, lagging
}

func (w *Watcher) tooLate(s FollowerState, late time.Duration, now time.Time) error {
	if late > maxLag {
		return fmt.Errorf("%s is read %d messages and %d s behind its end", s.Stream, s.Behind, int(s.For.Seconds()))
	}
	u := w.unasked[s.Stream]
	if d := now.Sub(u.since); u.why != nil && d > maxLag {
		return fmt.Errorf("%s could not be asked about for %d s: %w", s.Stream, int(d.Seconds()), u.why)
	}
	return nil
}
