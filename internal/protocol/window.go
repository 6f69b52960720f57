package protocol

import "time"

// window bounds the jobs of a lane that are in flight by measurement: it opens while
// they take about as long as on an idle fleet, and closes when they begin to wait
// for one another (the idea of TCP Vegas: Brakmo and Peterson, 1995). More jobs
// in flight would not be done sooner, and everybody's next job would be later.
type window struct {
	limit, most  float64
	idle, loaded time.Duration // what a job takes that has the fleet to itself, and what others take
	lone, crowd  recent        // of which idle and loaded are
	unseen       int           // ticks since a job had the fleet to itself
	minute       int64         // of the last tick
	looking      int           // ticks of a look at the idle fleet; 0: none
	looks        []time.Duration
	wider        int  // jobs in flight that began before it became shared: they show nothing
	answers      int  // since the window was closed a little
	shared       bool // at the last tick
	recent       bool // loaded was measured since the last tick
	ramping      bool // it was never closed, or just became shared: it opens fast
}

const (
	// firstWindow is wide: a burst on an idle fleet costs nobody anything, and devices far away want many at a time.
	// sharedWindow is not: what one client has in flight is what another one waits for.
	firstWindow  = 256
	sharedWindow = 2
	leastWindow  = 1
	maxWindow    = 1024
	// restWindow is what remains where jobs of several clients wait for one another with
	// one in flight at each gateway: that one, and a rest of three times as long after it.
	restWindow = 0.25
	// maxRest is the longest rest. What a job took says little after an outage, in which its
	// result was not stored for minutes.
	maxRest = time.Second
	// restAnswers is after how many jobs a window of less than one is closed once more.
	restAnswers = 8
	// idleFlights is up to how many jobs in flight leave a fleet idle.
	idleFlights = 1
	// lookUp is after how many jobs one that lets only idleFlights through, which shows
	// nothing of more, lets one more through.
	lookUp = 8
	// maxUnseen is how many seconds a window goes by what it knows of the idle fleet. At
	// the next full minute it lets one job at a time through for lookTicks, longer until
	// idleLooks of them have told, but at most for maxLook. The gateways that share a busy
	// fleet have to do so at the same time, whenever each of them was started: they go by
	// the clock.
	maxUnseen = 20
	idleLooks = 5
	lookTicks = 2
	maxLook   = 6
	maxLooks  = 1024
	// How many of the latest jobs count.
	memoryPerFlight = 8
	leastMemory     = 16
	mostMemory      = 256
)

func newWindow(limit, most float64) window { return window{limit: limit, most: most, ramping: true} }

// flights is how many jobs may be in flight at a time.
func (w *window) flights() int {
	if w.blind() {
		return idleFlights
	}
	return int(max(w.limit, min(leastWindow, w.most)))
}

// beside is how many may be with those of clients that have no other one in flight.
func (w *window) beside() int {
	if w.blind() {
		return idleFlights
	}
	return 2 * w.flights()
}

// rest is for how long a job stays in flight that took so long: a window of less than one
// job is one for part of the time, and who looks what an idle fleet takes leaves it to the
// other gateways that do, once its jobs from before the look have ended.
func (w *window) rest(took time.Duration, alone bool, others int) time.Duration {
	times := 1/w.limit - 1
	switch {
	case w.blind() && alone:
		times = float64(others)
	case w.blind() || w.limit >= leastWindow:
		return 0
	}
	return time.Duration(min(float64(took)*times, float64(maxRest)))
}

// blind reports whether the window looks what an idle fleet takes: it was long ago that
// a job had that to itself.
func (w *window) blind() bool { return w.looking > 0 }

// took learns what a job took; alone: it had the fleet to itself when it began. A window
// that is not half full of what is in flight shows nothing of a wider one.
func (w *window) took(took time.Duration, alone bool, flying int) {
	if alone {
		w.alone(took)
		w.lookUp()
		return
	}
	if w.wider = min(w.wider, flying); w.wider > 0 {
		w.wider--
		return
	}
	w.loaded = w.crowd.add(took, w.memory())
	w.answers++
	w.recent = true
	switch {
	case w.idle == 0: // nothing to compare with
	case w.slow():
		switch { // once in a round trip
		case w.answers < w.roundTrip():
		case slower(w.loaded, w.idle, 2*w.slowdown()):
			w.shrink(0.5)
		default:
			w.shrink(0.85)
		}
	case 2*flying < int(w.limit):
	case w.limit < leastWindow:
		w.limit = min(w.limit*(1+0.2/restAnswers), leastWindow)
	case w.ramping:
		w.limit = min(w.limit+1, w.most)
	default:
		w.limit = min(w.limit+1/(w.limit+restAnswers-2), w.most)
	}
}

// alone learns what a job took that had the fleet to itself. Who knew nothing of an idle fleet looks at a few.
func (w *window) alone(took time.Duration) {
	if !w.blind() {
		w.unseen = 0
		if usual := w.lone.add(took, w.memory()); w.idle == 0 || len(w.lone.came) >= idleLooks {
			w.idle = usual
		}
		return
	}
	if len(w.looks) < maxLooks {
		w.looks = append(w.looks, took)
	}
	if len(w.looks) >= idleLooks && (!w.shared || w.looking > lookTicks) {
		w.looked()
	}
}

// look begins to let one job at a time through.
func (w *window) look() { w.looking, w.looks = 1, nil }

// looked ends that. If no job had the fleet to itself the window goes on by what it knew, or by what it has.
func (w *window) looked() {
	switch {
	case len(w.looks) > 0:
		w.idle, w.unseen, w.lone = median(w.looks), 0, recent{}
	case w.idle == 0:
		w.idle = w.loaded
	}
	w.looking, w.looks = 0, nil
}

func (w *window) lookUp() {
	if w.limit >= idleFlights+1 {
		return
	}
	if w.answers++; w.answers >= lookUp {
		w.limit, w.answers = min(idleFlights+1, w.most), 0
	}
}

// memory is how many of the latest jobs count: few where few are in flight, as each is
// a while ago, and more where many are, as the median of few is off by more than the
// window may bear where devices vary.
func (w *window) memory() int { return min(max(int(memoryPerFlight*w.limit), leastMemory), mostMemory) }

// slow reports whether jobs wait for one another.
func (w *window) slow() bool { return w.idle > 0 && slower(w.loaded, w.idle, w.slowdown()) }

// slowdown is how many times as long as on an idle fleet a job may take. What one
// client's jobs wait for another's counts for more than that the fleet is full.
func (w *window) slowdown() float64 {
	if w.shared {
		return 1.2
	}
	return 1.5
}

func slower(loaded, idle time.Duration, times float64) bool {
	return float64(loaded) > times*float64(idle)
}

// roundTrip is how many jobs end until one is measured that began with the window as it is.
func (w *window) roundTrip() int {
	if w.ramping { // as wide as it is by the latest answers
		return restAnswers
	}
	return max(int(w.limit), restAnswers)
}

// shrink closes the window, to less than one job only where three of four are slow: on a fleet whose devices vary that
// half of them are is chance, and costs most where few are in flight.
func (w *window) shrink(factor float64) {
	least := min(leastWindow, w.most, w.limit)
	if w.shared && w.idle > 0 && slower(w.crowd.quarter(), w.idle, w.slowdown()) {
		least = restWindow
	}
	w.limit, w.answers, w.ramping, w.crowd = max(w.limit*factor, least), 0, false, recent{}
}

// lost says that an attempt was not answered at all.
func (w *window) lost() {
	if w.answers > 0 { // only once while nothing is answered
		w.shrink(0.5)
	}
}

// share is when a second client comes.
func (w *window) share(flying int) {
	w.limit, w.ramping, w.answers = min(w.limit, sharedWindow), true, 0
	w.wider, w.crowd = flying, recent{}
}

// tick passes a second. While one client has the fleet to itself and nobody waits for
// the window, what closed it is over.
func (w *window) tick(now time.Time, waiting int, shared bool) {
	w.unseen++
	minute := now.Unix() / 60
	switch begins := minute != w.minute; {
	case w.looking > maxLook:
		w.looked()
	case w.blind():
		w.looking++
	case begins && w.unseen > maxUnseen:
		w.look()
	case shared && w.recent && w.idle == 0: // started into other gateways' jobs: it would not open
		w.look()
	}
	w.recent, w.shared, w.minute = false, shared, minute
	if !shared {
		w.limit = max(w.limit, min(leastWindow, w.most))
	}
	if waiting == 0 && !shared {
		w.limit = max(w.limit, min(2*w.limit, firstWindow, w.most))
	}
}

// bound sets how wide a window may be.
func (w *window) bound(most int) {
	w.most = float64(most)
	w.limit = min(w.limit, w.most)
}

// follow opens or closes a window by how slow the jobs of another one are.
func (w *window) follow(other *window) {
	if other.slow() && other.recent {
		w.limit = max(w.limit/2, 1)
	} else {
		w.limit = min(w.limit+0.5, w.most)
	}
}
