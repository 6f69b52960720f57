package protocol

import (
	"maps"
	"slices"
	"time"
)

// lane is one kind of sign job: those that wait, and how many are in flight.
type lane struct {
	queue   fairQueue
	window  window
	whole   bool // a job takes about as long however many items it has: what it waits for is the bus, and devices
	pace    pace // an item's share of what the fleet takes
	flying  int
	resting int            // of them
	of      map[string]int // those in flight, by client
	// What each node took last, for an item unless whole, with the fleet to itself and with others.
	idle, loaded map[int]time.Duration
}

// next begins the flight of a job. A newcomer, whose client has none in flight, does not
// wait for the end of another client's job, unless as many as the window are in flight
// for that reason already, or the window looks what a job takes that has no company.
func (l *lane) next(newcomers bool) (j *activeSign) {
	switch {
	case l.flying < l.window.flights():
		j = l.queue.next()
	case newcomers && l.flying-l.resting < l.window.beside():
		j = l.queue.nextOf(func(client string) bool { return l.of[client] == 0 })
	}
	if j == nil {
		return nil
	}
	if l.of == nil {
		l.of = map[string]int{}
	}
	l.flying++
	l.of[j.Signed.Client]++
	return j
}

// landed ends the flight of a job.
func (l *lane) landed(j *activeSign) {
	l.flying--
	client := j.Signed.Client
	if l.of[client]--; l.of[client] == 0 {
		delete(l.of, client)
	}
}

// parts is into how many parts what a job takes is divided.
func (l *lane) parts(items int) time.Duration {
	if l.whole {
		return 1
	}
	return time.Duration(items)
}

// took learns how long the nodes of an attempt took. What the fleet takes is what the t fastest nodes do: at least
// that many are honest, so those who are slow on purpose can make nothing look slow, and lateness be later. It returns what a part
// takes; 0: nothing new.
func (l *lane) took(items int, delays map[int]time.Duration, t int, alone bool) (took time.Duration) {
	seen := &l.loaded
	if alone {
		seen = &l.idle
	}
	if *seen == nil {
		*seen = map[int]time.Duration{}
	}
	fresh, parts := false, l.parts(items)
	for node, delay := range delays {
		if delay > 0 {
			(*seen)[node], fresh = max(delay/parts, 1), true
		}
	}
	if !fresh || len(*seen) < t {
		return 0
	}
	took = slices.Sorted(maps.Values(*seen))[t-1]
	l.pace.add(max(took*parts/time.Duration(items), 1))
	return took
}

// Bounds of the time after which an attempt counts as late.
const (
	firstWait = 2 * time.Second // while nothing was measured yet
	leastWait = 250 * time.Millisecond
	latePaces = 3 // how many times the usual time is late
)

// wait is when an attempt counts as late.
func (l *lane) wait(items int) time.Duration {
	if l.pace.mean == 0 {
		return firstWait + time.Duration(items)*perItemWait
	}
	return min(max(l.usual(items), leastWait), attemptLife(items)/2)
}

// usual is up to how long an attempt takes that nobody holds up; zero while nothing was measured.
func (l *lane) usual(items int) time.Duration {
	return max(latePaces*l.pace.mean, l.pace.mean+4*l.pace.deviation) * time.Duration(items)
}

// pace is a smoothed time and its mean deviation, as TCP measures round trips (RFC
// 6298, section 2).
type pace struct{ mean, deviation time.Duration }

func (p *pace) add(took time.Duration) {
	if p.mean == 0 {
		p.mean, p.deviation = max(took, 1), took/2
		return
	}
	p.deviation += ((took - p.mean).Abs() - p.deviation) / 4
	p.mean = max(p.mean+(took-p.mean)/8, 1)
}
