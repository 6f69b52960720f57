package buswatch

import (
	"slices"
	"time"
)

// maxMarks bounds what is remembered of a stream that is not read.
const maxMarks = 64

// end is where a stream ended when it was asked about.
type end struct {
	asked       time.Time
	id          string // incarnation
	first, last uint64 // what is before first is not stored any more
}

// lag measures how long a follower has been behind: since the oldest mark that it
// has not reached.
type lag struct {
	end
	marks []end // not reached; times and sequences increase

	caught time.Time // when it was first seen to have read what it began with; zero: not yet
}

// extend records where the stream ends now.
func (l *lag) extend(e end) {
	if l.id != e.id || e.last < l.last { // another stream of that name
		l.marks = nil
	}
	if e.last > l.last || len(l.marks) == 0 {
		l.marks = append(l.marks, e)
	}
	l.end = e
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
func (l *lag) gap(i int) time.Duration { return l.marks[i+1].asked.Sub(l.marks[i-1].asked) }

// behind compares with the last sequence that was handled.
func (l *lag) behind(now time.Time, handled uint64) (messages uint64, since time.Duration) {
	if l.first > 0 {
		handled = max(handled, l.first-1) // those can't be read
	}
	l.marks = slices.DeleteFunc(l.marks, func(m end) bool { return m.last <= handled })
	if handled >= l.last || len(l.marks) == 0 {
		return 0, 0
	}
	return l.last - handled, now.Sub(l.marks[0].asked)
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
