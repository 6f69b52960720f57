package policy

import (
	"maps"
	"time"
)

// counter is what one client or key used of one limit, by steps of its window. A step
// counts until the window has passed since its end.
type counter struct {
	window  window
	steps   [parts + 1]uint64 // the one of a number is at its remainder
	head    int64             // number of the newest step
	pending uint64            // charged since the state that is on disk
	taken   uint64            // of which since the newest state was made
}

// roll makes the step of a time the newest, and empties those that it takes the place of.
func (n *counter) roll(now int64) {
	head := now / n.window.step()
	for n.head < head {
		if head-n.head > int64(len(n.steps)) {
			n.head = head - int64(len(n.steps))
		}
		n.head++
		n.steps[n.index(n.head)] = 0
	}
}

func (n *counter) index(step int64) int {
	m := int64(len(n.steps))
	return int(((step % m) + m) % m)
}

func (n *counter) add(now int64, units uint64) {
	n.roll(now)
	at := n.index(n.head)
	n.steps[at] = add(n.steps[at], units)
}

func (n *counter) sum(now int64) (sum uint64) {
	n.roll(now)
	for _, units := range n.steps {
		sum = add(sum, units)
	}
	return sum
}

// over reports whether nothing of the counter counts any more.
func (n *counter) over(now int64) bool { return n.sum(now) == 0 && n.pending == 0 }

// event is a crash, after which a block of each limit counts as used, or a loss, after
// which nothing is known (nil blocks). It counts for one window.
type event struct {
	at     int64
	why    string
	blocks map[string]uint64 // by id of the limit
}

// until is when an event ends to count for a window.
func (e *event) until(w window) int64 { return e.at + int64(w.length/time.Second) + w.step() }

// bound removes events that are over, and makes one of the oldest where there are too
// many.
func (l *Ledger) bound() {
	for len(l.events) > 0 && l.time >= l.events[0].until(windows[len(windows)-1]) {
		l.events = l.events[1:]
	}
	for len(l.events) > maxEvents {
		a, b := l.events[0], l.events[1]
		b.merge(a)
		l.events = append([]event{b}, l.events[2:]...)
	}
}

// merge adds an earlier event to a later one.
func (e *event) merge(earlier event) {
	switch {
	case e.blocks == nil:
	case earlier.blocks == nil:
		e.blocks, e.why = nil, earlier.why
	default:
		e.blocks = maps.Clone(e.blocks)
		for id, units := range earlier.blocks {
			e.blocks[id] = add(e.blocks[id], units)
		}
	}
}
