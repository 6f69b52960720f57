package protocol

import "time"

// traffic is what a gateway knows of how signing goes, and what it lets through.
type traffic struct {
	small, bulk lane // jobs of at most InteractiveItems items, and larger ones
	nodes       standings
	retries     budget
}

func newTraffic(cfg CoordinatorConfig) traffic {
	return traffic{
		small:   lane{window: newWindow(firstWindow, maxWindow), queue: fairQueue{turn: 1}},
		bulk:    lane{window: newWindow(float64(cfg.MaxBulk), float64(cfg.MaxBulk)), queue: fairQueue{turn: bulkTurn}},
		nodes:   newStandings(cfg.Manifest.N),
		retries: budget{tenths: 10 * maxRetries},
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

// tick is told the time every second.
func (t *traffic) tick(now time.Time) {
	t.nodes.now = now
	t.retries.tick()
	// Large jobs make small ones slow, and hardly the other way round.
	t.bulk.window.follow(&t.small.window)
	t.small.window.tick()
}

// next begins the flight of a job; nil if none waits, or none may begin.
func (t *traffic) next() *activeSign {
	for _, l := range []*lane{&t.small, &t.bulk} {
		// Whoever wants to know what an idle fleet takes needs an idle fleet.
		wanted := l == &t.bulk && t.small.window.blind() && t.small.queue.waiting() > 0
		if wanted || !l.window.open(l.flying) {
			continue
		}
		if j := l.queue.next(); j != nil {
			l.flying++
			j.flying, j.alone = true, t.small.flying+t.bulk.flying <= idleFlights
			return j
		}
	}
	return nil
}

// end ends the flight of a job.
func (t *traffic) end(j *activeSign) {
	if j.flying {
		j.flying = false
		t.lane(j).flying--
	}
}

// lane is one kind of sign job: those that wait, and how many are in flight.
type lane struct {
	queue  fairQueue
	window window
	pace   pace // an item's share of the time from a task to the last of its shares
	flying int
}

// took learns from an attempt that was answered.
func (l *lane) took(a *attempt, took time.Duration) {
	l.pace.add(took / time.Duration(len(a.items)))
	l.window.took(took/time.Duration(len(a.items)), a.job.alone)
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
	usual := max(latePaces*l.pace.mean, l.pace.mean+4*l.pace.deviation)
	return min(max(usual*time.Duration(items), leastWait), attemptLife(items)/2)
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
