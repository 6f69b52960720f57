package protocol

import (
	"slices"
	"time"
)

// window bounds the jobs of a lane that are in flight by measurement: it opens while
// they take about as long as on an idle fleet, and closes when they begin to wait
// for one another (the idea of TCP Vegas: Brakmo and Peterson, 1995). More jobs
// in flight would not be done sooner, and everybody's next job would be later.
type window struct {
	limit, most float64
	idle        time.Duration // what a job takes that has the fleet to itself, smoothed
	loaded      time.Duration // what others take
	unseen      int           // ticks since a job had the fleet to itself
	looks       []time.Duration
	answers     int  // since the window was closed a little
	shared      bool // at the last tick
	recent      bool // loaded was measured since the last tick
	ramping     bool // it was never closed, or just became shared: it opens fast
}

const (
	// firstWindow is wide: a burst on an idle fleet costs nobody anything, and devices far away want many at a time.
	// sharedWindow is not: what one client has in flight is what another one waits for.
	firstWindow  = 256
	sharedWindow = 2
	leastWindow  = 1
	maxWindow    = 1024
	// idleFlights is up to how many jobs in flight leave a fleet idle.
	idleFlights = 1
	// lookUp is after how many jobs one that lets only idleFlights through, which shows
	// nothing of more, lets one more through.
	lookUp = 8
	// maxUnseen is how many seconds a window goes by what it knows of the idle
	// fleet. Then it lets few jobs through until idleLooks of them have told. Gateways
	// that share a busy fleet have all seen it idle last at the same time: they look
	// together if each takes a while about it.
	maxUnseen = 60
	idleLooks = 5
	lookTicks = 2
	maxLooks  = 1024
)

func newWindow(limit, most float64) window { return window{limit: limit, most: most, ramping: true} }

// open reports whether one more job may begin.
func (w *window) open(flying int) bool {
	if w.blind() {
		return flying < idleFlights
	}
	return flying < int(w.limit)
}

// blind reports whether it was long ago that a job had the fleet to itself.
func (w *window) blind() bool { return w.unseen > maxUnseen }

// took learns what a job took; alone: it had the fleet to itself when it began. A window
// that is not half full of what is in flight shows nothing of a wider one.
func (w *window) took(took time.Duration, alone bool, flying int) {
	if alone {
		w.alone(took)
		w.lookUp()
		return
	}
	w.loaded = smooth(w.loaded, took)
	w.answers++
	w.recent = true
	switch {
	case w.idle == 0: // nothing to compare with
	case w.slow():
		switch { // once in a round trip
		case !w.ramping && w.answers < int(w.limit):
		case slower(w.loaded, w.idle, 2*w.slowdown()):
			w.shrink(0.5)
		default:
			w.shrink(0.85)
		}
	case 2*flying < int(w.limit):
	case w.ramping:
		w.limit = min(w.limit+1, w.most)
	default:
		w.limit = min(w.limit+1/w.limit, w.most)
	}
}

// alone learns what a job took that had the fleet to itself. Who knew nothing of an idle fleet looks at a few.
func (w *window) alone(took time.Duration) {
	if !w.blind() {
		w.idle, w.unseen = smooth(w.idle, took), 0
		return
	}
	if len(w.looks) < maxLooks {
		w.looks = append(w.looks, took)
	}
	if len(w.looks) >= idleLooks && (!w.shared || w.unseen > maxUnseen+lookTicks) {
		slices.Sort(w.looks)
		w.idle, w.unseen, w.looks = w.looks[len(w.looks)/4], 0, nil
	}
}

func (w *window) lookUp() {
	if w.limit >= idleFlights+1 {
		return
	}
	if w.answers++; w.answers >= lookUp {
		w.limit, w.answers = min(idleFlights+1, w.most), 0
	}
}

func smooth(old, took time.Duration) time.Duration {
	if old == 0 {
		return took
	}
	return old + (took-old)/8
}

// slow reports whether jobs wait for one another.
func (w *window) slow() bool { return w.idle > 0 && slower(w.loaded, w.idle, w.slowdown()) }

// slowdown is how many times as long as on an idle fleet a job may take. What one
// client's jobs wait for another's counts for more than that the fleet is full.
func (w *window) slowdown() float64 {
	if w.shared {
		return 1.25
	}
	return 1.5
}

func slower(loaded, idle time.Duration, times float64) bool {
	return float64(loaded) > times*float64(idle)
}

func (w *window) shrink(factor float64) {
	w.limit, w.answers, w.ramping = max(w.limit*factor, min(leastWindow, w.most)), 0, false
}

// lost says that an attempt was not answered at all.
func (w *window) lost() {
	if w.answers > 0 { // only once while nothing is answered
		w.shrink(0.5)
	}
}

// share is when a second client comes.
func (w *window) share() { w.limit, w.ramping = min(w.limit, sharedWindow), true }

// tick passes a second. While one client has the fleet to itself and nobody waits for
// the window, what closed it is over.
func (w *window) tick(waiting int, shared bool) {
	w.unseen++
	w.recent, w.shared = false, shared
	if waiting == 0 && !shared {
		w.limit = max(w.limit, min(2*w.limit, firstWindow, w.most))
	}
}

// follow opens or closes a window by how slow the jobs of another one are.
func (w *window) follow(other *window) {
	if other.slow() && other.recent {
		w.limit = max(w.limit/2, 1)
	} else {
		w.limit = min(w.limit+0.5, w.most)
	}
}
