package buswatch

import (
	"slices"
	"time"
)

// maxMarks bounds what is remembered of a stream that is not read.
const maxMarks = 64

// mark is where a stream ended at a time.
type mark struct {
	at   time.Time
	last uint64
}

// lag measures how long a follower has been behind: since the oldest mark that it
// has not reached.
type lag struct {
	id    string // incarnation of the stream
	first uint64 // what is before is not stored any more
	last  uint64
	marks []mark // not reached; times and sequences increase

	caught time.Time // when it was first seen to have read what it began with; zero: not yet
}

// extend records where the stream ends now.
func (l *lag) extend(at time.Time, id string, first, last uint64) {
	if l.id != id || last < l.last { // another stream of that name
		*l = lag{id: id, caught: l.caught}
	}
	if last > l.last || len(l.marks) == 0 {
		l.marks = append(l.marks, mark{at, last})
	}
	l.first, l.last = first, last
	if len(l.marks) > maxMarks {
		l.thin()
	}
}

// thin drops the mark that is missed least: the one between the two neighbours
// that are closest. The oldest and the newest stay.
func (l *lag) thin() {
	least := 1
	for i := 2; i < len(l.marks)-1; i++ {
		if l.gap(i) < l.gap(least) {
			least = i
		}
	}
	l.marks = slices.Delete(l.marks, least, least+1)
}

// gap is what dropping mark i would leave.
func (l *lag) gap(i int) time.Duration { return l.marks[i+1].at.Sub(l.marks[i-1].at) }

// behind compares with the last sequence that was handled.
func (l *lag) behind(now time.Time, handled uint64) (messages uint64, since time.Duration) {
	if l.first > 0 {
		handled = max(handled, l.first-1) // those can't be read
	}
	l.marks = slices.DeleteFunc(l.marks, func(m mark) bool { return m.last <= handled })
	if handled >= l.last || len(l.marks) == 0 {
		return 0, 0
	}
	return l.last - handled, now.Sub(l.marks[0].at)
}

// late is how much of a lag is held against the process. It may serve while it
// still reads what was stored before it began, however long that takes; what
// came in meanwhile has to be read too, from then on.
func (l *lag) late(now time.Time, behind time.Duration) time.Duration {
	if l.caught.IsZero() {
		return 0
	}
	return min(behind, now.Sub(l.caught))
}
