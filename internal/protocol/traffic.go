package protocol

import (
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// traffic is what a gateway knows of how signing goes, and what it lets through.
type traffic struct {
	small, bulk lane // jobs of at most InteractiveItems items, and larger ones
	nodes       standings
	presence    *presence
	retries     budget
	crowds      int       // how often a job began while others were in flight
	last        string    // client of the latest small job
	sharedUntil time.Time // while small jobs of several clients come
}

// sharedFor is how long after jobs of two clients a fleet counts as shared.
const sharedFor = 30 * time.Second

func newTraffic(cfg CoordinatorConfig, o *wire.Opener) traffic {
	return traffic{
		small:    lane{window: newWindow(firstWindow, maxWindow), queue: fairQueue{turn: 1}},
		bulk:     lane{window: newWindow(float64(cfg.MaxBulk), float64(cfg.MaxBulk)), queue: fairQueue{turn: bulkTurn}},
		nodes:    newStandings(cfg.Manifest.N),
		presence: newPresence(cfg.Manifest, o),
		retries:  budget{tenths: 10 * maxRetries},
	}
}

// bulkTurn is a part of a large job: turns are short, and there are not too many of them.
const bulkTurn = 10

func (t *traffic) lane(j *activeSign) *lane {
	if j.job.Interactive() {
		return &t.small
	}
	return &t.bulk
}

// tick is told the time every second. It returns the nodes that have just become absent.
func (t *traffic) tick(now time.Time) (gone []int) {
	t.nodes.now = now
	t.retries.tick()
	// Large jobs make small ones slow, and hardly the other way round.
	t.bulk.window.follow(&t.small.window)
	t.small.window.tick(t.small.queue.waiting(), t.shared())
	return t.presence.tick(now)
}

// next begins the flight of a job; nil if none waits, or none may begin.
func (t *traffic) next() *activeSign {
	for _, l := range [...]*lane{&t.small, &t.bulk} {
		// Whoever wants to know what an idle fleet takes needs an idle fleet.
		wanted := l == &t.bulk && t.small.window.blind() && t.small.queue.waiting() > 0
		if wanted || !l.window.open(l.flying) {
			continue
		}
		if j := l.queue.next(); j != nil {
			l.flying++
			j.place, j.alone = flying, t.small.flying+t.bulk.flying <= idleFlights
			if !j.alone {
				t.crowds++
			}
			j.crowds = t.crowds
			return j
		}
	}
	return nil
}

// shared reports whether small jobs of several clients come.
func (t *traffic) shared() bool { return t.nodes.now.Before(t.sharedUntil) }

// share notes whose small job comes.
func (t *traffic) share(client string) {
	before := t.last
	t.last = client
	if before == "" || before == client {
		return
	}
	if !t.shared() {
		t.small.window.share()
	}
	t.sharedUntil = t.nodes.now.Add(sharedFor)
}

// add has a job wait for its turn.
func (t *traffic) add(j *activeSign) {
	if j.job.Interactive() {
		t.share(j.Signed.Client)
	}
	j.place = queued
	t.lane(j).queue.add(j)
}

// again has a job wait for another turn after its pause.
func (t *traffic) again(j *activeSign) {
	if j.place == paused {
		j.place = queued
		t.lane(j).queue.again(j)
	}
}

// end takes a job out of the queue, or out of the air.
func (t *traffic) end(j *activeSign) {
	switch j.place {
	case queued:
		t.lane(j).queue.remove(j)
	case flying:
		t.lane(j).flying--
	}
	j.place = nowhere
}

// took learns from an attempt that was answered. A job that had the fleet to itself when it began, and no more when
// others came, shows nothing of an idle fleet.
func (t *traffic) took(a *attempt, delays map[int]time.Duration, threshold int) {
	alone := a.job.alone && a.job.crowds == t.crowds
	t.lane(a.job).took(len(a.items), delays, threshold, alone)
}

// lane is one kind of sign job: those that wait, and how many are in flight.
type lane struct {
	queue  fairQueue
	window window
	pace   pace // an item's share of what the fleet takes
	flying int
	// What each node took last for an item, with the fleet to itself and with others.
	idle, loaded map[int]time.Duration
}

// took learns how long the nodes of an attempt took. What the fleet takes is what the t fastest nodes do: at least
// that many are honest, so those who are slow on purpose can make nothing look slow, and lateness be later.
func (l *lane) took(items int, delays map[int]time.Duration, t int, alone bool) {
	seen := &l.loaded
	if alone {
		seen = &l.idle
	}
	if *seen == nil {
		*seen = map[int]time.Duration{}
	}
	fresh := false
	for node, delay := range delays {
		if delay > 0 {
			(*seen)[node], fresh = max(delay/time.Duration(items), 1), true
		}
	}
	if !fresh || len(*seen) < t {
		return
	}
	took := slices.Sorted(maps.Values(*seen))[t-1]
	l.pace.add(took)
	l.window.took(took, alone, l.flying)
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

// budget bounds the attempts that are opened beside others that may still be
// answered: a tenth of those that succeed, and one a second. Retries on top of work
// that is merely slow are what keeps a fleet in trouble in trouble.
type budget struct{ tenths int }

const maxRetries = 10

func (b *budget) answered() { b.tenths = min(b.tenths+1, 10*maxRetries) }
func (b *budget) tick()     { b.tenths = min(b.tenths+10, 10*maxRetries) }

func (b *budget) take() bool {
	if b.tenths < 10 {
		return false
	}
	b.tenths -= 10
	return true
}
