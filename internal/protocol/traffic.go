package protocol

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// traffic is what a gateway knows of how signing goes, and what it lets through.
type traffic struct {
	small, bulk lane      // jobs of at most InteractiveItems items, and larger ones
	now         time.Time // of the last tick
	self        string
	quiet       int // ticks since other gateways said that they have jobs
	presence    *presence
	retries     budget
	large       flights                // of bulk
	flights     uint64                 // the latest
	counted     uint64                 // what that was at the last tick
	lately      bool                   // it was another one a second before
	stores      map[uint64]*activeSign // flights whose results are being stored, or that rest
	crowds      int                    // how often a job began while others were in flight
	last        string                 // client of the latest small job
	sharedUntil time.Time              // while small jobs of several clients come
}

// quietTicks is for how long other gateways have said nothing of jobs when they have none.
const quietTicks = 3

// sharedFor is how long after jobs of two clients a fleet counts as shared.
const sharedFor = 30 * time.Second

func newTraffic(cfg CoordinatorConfig, p *presence) traffic {
	return traffic{
		small:    lane{window: newWindow(firstWindow, maxWindow), queue: fairQueue{turn: 1}, whole: true},
		bulk:     lane{window: newWindow(float64(cfg.Bulk.Least), float64(cfg.Bulk.Least)), queue: fairQueue{turn: bulkTurn}},
		self:     cfg.Name,
		quiet:    1, // nobody has said anything yet
		stores:   map[uint64]*activeSign{},
		presence: p,
		retries:  budget{tenths: 10 * maxRetries},
		large:    flights{bounds: cfg.Bulk},
	}
}

// bulkTurn is a part of a large job: turns are short, and there are not too many of them.
const bulkTurn = 10

func (t *traffic) lane(j *activeSign) *lane {
	if j.interactive() {
		return &t.small
	}
	return &t.bulk
}

// tick is told the time every second.
func (t *traffic) tick(now time.Time) {
	t.now, t.presence.now = now, now
	t.lately, t.counted = t.flights != t.counted, t.flights
	t.retries.tick()
	t.large.tick(now)
	t.bulk.window.bound(t.large.limit())
	// Large jobs make small ones slow, and hardly the other way round.
	t.bulk.window.follow(&t.small.window)
	t.small.window.tick(now, t.small.queue.waiting(), t.shared())
	if t.quiet++; t.presence.elsewhere(t.self) > 0 {
		t.quiet = 0
	}
}

// next begins the flight of a job; nil if none waits, or none may begin.
func (t *traffic) next() *activeSign {
	for _, l := range [...]*lane{&t.small, &t.bulk} {
		// Whoever wants to know what an idle fleet takes needs an idle fleet.
		wanted := l == &t.bulk && t.small.window.blind() && t.small.queue.waiting() > 0
		if wanted {
			continue
		}
		if j := l.next(l == &t.small); j != nil {
			j.place, j.alone = flying, t.idle()
			if !j.alone {
				t.crowds++
			}
			j.crowds = t.crowds
			return j
		}
	}
	return nil
}

// signs reports whether a sign job is in flight or waits, here or at another gateway, or was in
// flight a moment ago: who asks for one signature after the other has none between two.
func (t *traffic) signs() bool {
	return t.lately || t.small.flying+t.bulk.flying+t.small.queue.waiting()+t.bulk.queue.waiting() > 0 ||
		t.presence.elsewhere(t.self) > 0
}

// idle reports whether a job in flight has the fleet to itself. What other gateways have
// is known seconds later; who has not seen that for long does not see it either.
func (t *traffic) idle() bool {
	return t.small.flying+t.bulk.flying-t.small.resting <= idleFlights &&
		(t.quiet >= quietTicks || t.quiet > 0 && !t.shared() || t.small.window.blind())
}

// shared reports whether small jobs of several clients come.
func (t *traffic) shared() bool { return t.now.Before(t.sharedUntil) }

// share notes whose small job comes.
func (t *traffic) share(client string) {
	before := t.last
	t.last = client
	if before == "" || before == client {
		return
	}
	if !t.shared() {
		t.small.window.share(t.small.flying)
		t.quiet = min(t.quiet, 1)
	}
	t.sharedUntil = t.now.Add(sharedFor)
}

// add has a job wait for its turn.
func (t *traffic) add(j *activeSign) {
	if j.interactive() {
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

// storing keeps a job in flight whose result is being stored: that is work of the
// servers, as the rest of it is, and fewer jobs in flight make it quicker.
func (t *traffic) storing(j *activeSign) (flight uint64) {
	if j.place != flying {
		return 0
	}
	j.place = storing
	t.flights++
	t.stores[t.flights] = j
	return t.flights
}

// landed ends a flight, and learns from it what a job takes. Where the window is less than
// one job, that of a client with more jobs ends after a rest: then rested is due.
func (t *traffic) landed(e Finished) (rest time.Duration) {
	j := t.stores[e.Flight]
	if j == nil || j.place != storing {
		return 0
	}
	l, alone := t.lane(j), j.alone && j.crowds == t.crowds
	if l == &t.bulk {
		t.large.landed(len(j.sigs), j.took, alone)
	}
	if j.took > 0 {
		took := j.took + e.Took/l.parts(len(j.sigs))
		l.window.took(took, alone, l.flying)
		if l.queue.greedy(j.Signed.Client) {
			rest = l.window.rest(took, alone, t.presence.busy(t.self))
			rest = min(time.Duration(float64(rest)*t.scatter(e.Flight)), maxRest)
		}
	}
	j.place = resting
	l.resting++
	if rest <= 0 {
		t.rested(e.Flight)
	}
	return rest
}

// scatter is by how much a flight's rest is longer or shorter than it should be on average. Flights that began together
// and rested for as long would begin together again, for ever: slow beside one another, and the fleet idle after that.
func (t *traffic) scatter(flight uint64) float64 {
	sum := sha256.Sum256(fmt.Append(nil, t.self, " ", flight))
	return float64(sum[0]) / 128
}

// rested ends a flight for good.
func (t *traffic) rested(flight uint64) {
	j := t.stores[flight]
	if j == nil || j.place != resting {
		return
	}
	delete(t.stores, flight)
	j.place = nowhere
	l := t.lane(j)
	l.resting--
	l.landed(j)
}

// end takes a job out of the queue, or out of the air, unless its result is being stored.
func (t *traffic) end(j *activeSign) {
	switch j.place {
	case queued:
		t.lane(j).queue.remove(j)
	case flying:
		t.lane(j).landed(j)
	case storing, resting:
		return
	}
	j.place = nowhere
}

// took learns from an attempt that was answered. A job that had the fleet to itself when it began, and no more when
// others came, shows nothing of an idle fleet.
func (t *traffic) took(a *attempt, delays map[int]time.Duration, threshold int) {
	alone := a.job.alone && a.job.crowds == t.crowds
	if took := t.lane(a.job).took(len(a.items), delays, threshold, alone); took > 0 {
		a.job.took = took
	}
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
