package webhook

import (
	"slices"
	"time"
)

// How long a message is sent again.
const (
	maxPause = 10 * time.Minute // between two attempts
	giveUp   = 24 * time.Hour   // from when it happened
)

// Bounds of a webhook's messages under way, which are also what another gateway has to send
// again if this one is gone.
const (
	maxOpen   = 256 // undelivered; while there are so many, no more are read
	maxAtOnce = 8   // being sent
)

// entry is an event that is not delivered yet.
type entry struct {
	event *event // nil: not read yet, as another gateway left it
	tries int
	next  time.Time // when it is sent
	busy  bool      // it is being sent
}

// queue holds a webhook's undelivered events. It is pure: the time is passed in.
type queue struct {
	pause time.Duration     // after the first failure; doubling
	open  map[string]*entry // by the subject of the message that proves the event
	order []string          // as they came
}

func newQueue(pause time.Duration) *queue { return &queue{pause: pause, open: map[string]*entry{}} }

// add takes an event, nil for one that is still to be read, unless the queue has it.
func (q *queue) add(subject string, e *event) {
	if q.open[subject] != nil {
		return
	}
	q.open[subject] = &entry{event: e}
	q.order = append(q.order, subject)
}

// room is how many more events may be read.
func (q *queue) room() int { return max(0, maxOpen-len(q.open)) }

// due marks what is to be sent now as being sent, the oldest first, and returns it.
func (q *queue) due(now time.Time) (subjects []string) {
	busy := q.busy()
	for _, s := range q.order {
		if e := q.open[s]; busy < maxAtOnce && !e.busy && !e.next.After(now) {
			e.busy = true
			busy++
			subjects = append(subjects, s)
		}
	}
	return subjects
}

func (q *queue) busy() (n int) {
	for _, e := range q.open {
		if e.busy {
			n++
		}
	}
	return n
}

// failed puts an event back; it is sent again after a pause.
func (q *queue) failed(subject string, now time.Time) {
	if e := q.open[subject]; e != nil {
		e.busy = false
		e.next = now.Add(min(q.pause<<min(e.tries, 10), maxPause))
		e.tries++
	}
}

// later puts an event back that was not sent.
func (q *queue) later(subject string, at time.Time) {
	if e := q.open[subject]; e != nil {
		e.busy, e.next = false, at
	}
}

// done forgets an event.
func (q *queue) done(subject string) {
	delete(q.open, subject)
	q.order = slices.DeleteFunc(q.order, func(s string) bool { return s == subject })
}

// oldest is when the oldest undelivered event happened; zero: there is none, or none is read.
func (q *queue) oldest() (at time.Time) {
	for _, e := range q.open {
		if e.event != nil && (at.IsZero() || e.event.at.Before(at)) {
			at = e.event.at
		}
	}
	return at
}
