package protocol

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func waiting(client string, items int) *activeSign {
	return &activeSign{
		activeJob: &activeJob{CheckedJob: &CheckedJob{
			Signed: wire.SignedJob{Client: client}, job: &wire.Job{Items: make([]wire.JobItem, items)},
		}},
		left: make([]uint32, items),
	}
}

// However many jobs a client has waiting, and however large they are, another one
// gets as many items done.
func TestFairQueue(t *testing.T) {
	for name, sizes := range map[string][3]int{ // of the clients' jobs
		"alike": {1, 1, 1}, "large and small": {1000, 11, 1}, "odd": {7, 10, 3}, "one huge": {1000, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			q := fairQueue{turn: 1 + rand.IntN(20)}
			largest := 0
			for c, size := range sizes {
				largest = max(largest, size)
				for range 5_000 / size {
					q.add(waiting(fmt.Sprint("client", c), size))
				}
			}
			done := map[string]int{}
			for j := q.next(); len(q.ring) == len(sizes); j = q.next() {
				done[j.Signed.Client] += len(j.left)
				for a, x := range done {
					for b, y := range done {
						if x-y > largest+2*q.turn {
							t.Fatalf("%s has %d items done, and %s %d", a, x, b, y)
						}
					}
				}
			}
		})
	}
}

func TestFairQueueKeepsOrder(t *testing.T) {
	q := fairQueue{turn: 1}
	first, second, over := waiting("a", 1), waiting("a", 1), waiting("a", 1)
	q.add(over)
	q.add(first)
	q.add(second)
	q.remove(over)
	equal(t, "waiting", q.waiting(), 2)
	equal(t, "first", q.next(), first)
	q.again(first) // its attempt failed
	equal(t, "first, again", q.next(), first)
	equal(t, "second", q.next(), second)
	equal(t, "the end", q.next(), nil)
}

// fleetModel is a fleet that does capacity jobs at a time, each in its service
// time; more of them wait for one another.
type fleetModel struct {
	service  time.Duration
	capacity int
}

func (m fleetModel) took(flying int) time.Duration {
	return m.service * time.Duration(max(flying, m.capacity)) / time.Duration(m.capacity)
}

// flood has a backlog that never ends go through a window, and returns how many
// jobs are in flight in the end.
func flood(w *window, m fleetModel, answers int) int {
	flying := 0
	for i := range answers {
		for flying < w.flights() {
			flying++
		}
		w.took(m.took(flying), flying <= idleFlights, flying)
		flying--
		if i%200 == 0 {
			w.tick(time.Unix(1_800_000_000+int64(i/200), 0), 1, false)
		}
	}
	return flying
}

// The window finds what a fleet does at a time, be that little or much, and finds
// it again after the fleet has changed.
func TestWindow(t *testing.T) {
	w := newWindow(firstWindow, maxWindow)
	w.took(5*time.Millisecond, true, 0)
	for _, m := range []fleetModel{
		{5 * time.Millisecond, 4}, {5 * time.Millisecond, 60}, {50 * time.Millisecond, 8}, {2 * time.Millisecond, 300},
	} {
		got := flood(&w, m, 200_000)
		if got < m.capacity || got > 5*m.capacity/2+idleFlights {
			t.Errorf("%d in flight in a fleet that does %d", got, m.capacity)
		}
	}
}

// A window that a flood has closed is wide again soon after it: the next burst finds it open.
func TestWindowAfterAFlood(t *testing.T) {
	w := newWindow(firstWindow, maxWindow)
	w.took(5*time.Millisecond, true, 0)
	if got := flood(&w, fleetModel{5 * time.Millisecond, 4}, 20_000); got > 12 {
		t.Fatalf("%d in flight in a fleet that does 4", got)
	}
	for range 8 {
		w.tick(time.Unix(1_800_000_000, 0), 0, false)
	}
	equal(t, "wide again", int(w.limit), firstWindow)
	w.tick(time.Unix(1_800_000_000, 0), 0, false)
	equal(t, "and no wider", int(w.limit), firstWindow)
}

// What one client has in flight is what another one's job waits for: a second client
// closes the window, a flood of its own keeps it where the fleet is, and it is wide again
// when one client was alone for long enough.
func TestSharedWindow(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	traffic := newTraffic(CoordinatorConfig{Manifest: &wire.Manifest{N: 3}}, newPresence())
	traffic.tick(now)
	w, m := &traffic.small.window, fleetModel{5 * time.Millisecond, 4}
	w.took(m.service, true, 1)
	traffic.add(waiting("flooder", 1))
	equal(t, "for one client", int(w.limit), firstWindow)
	traffic.add(waiting("other", 1))
	equal(t, "for two", int(w.limit), sharedWindow)
	if got := flood(w, m, 20_000); got < m.capacity || got > 2*m.capacity {
		t.Errorf("%d in flight in a fleet that does %d", got, m.capacity)
	}
	for traffic.next() != nil { // nobody waits
	}
	for range 10 * firstWindow { // answers that a window of four would do for
		w.took(m.service, false, 3)
	}
	traffic.tick(now.Add(sharedFor - time.Second))
	if w.limit > 2*float64(m.capacity) {
		t.Errorf("%.0f while nobody needs that many", w.limit)
	}
	for i := range 8 {
		traffic.tick(now.Add(sharedFor + time.Duration(i)*time.Second))
	}
	equal(t, "for one client again", int(w.limit), firstWindow)
}

// Where nothing is answered the window closes, once for as long as that lasts, and
// opens again with the answers.
func TestWindowInAnOutage(t *testing.T) {
	w := newWindow(firstWindow, maxWindow)
	w.took(time.Millisecond, true, 0)
	flood(&w, fleetModel{time.Millisecond, 100}, 10_000)
	before := w.limit
	for range 500 {
		w.lost()
	}
	if w.limit < before*0.4 || w.limit > before*0.6 {
		t.Errorf("limit %.0f after %.0f", w.limit, before)
	}
	if got := flood(&w, fleetModel{time.Millisecond, 100}, 50_000); got < 100 {
		t.Errorf("%d in flight afterwards", got)
	}
}

// Large jobs give way while small ones are slow.
func TestBulkGivesWay(t *testing.T) {
	traffic := newTraffic(CoordinatorConfig{Bulk: Range{6, 6}, Manifest: &wire.Manifest{N: 3}}, newPresence())
	traffic.small.window.took(time.Millisecond, true, 0)
	for range 10 {
		for range 50 {
			traffic.small.window.took(5*time.Millisecond, false, 0)
		}
		traffic.tick(time.Now())
	}
	equal(t, "large jobs while small ones are slow", int(traffic.bulk.window.limit), 1)
	for range 10 {
		traffic.tick(time.Now())
	}
	equal(t, "large jobs alone", int(traffic.bulk.window.limit), 6)
}

// A node that is mute again and again sits out longer and longer, and one that
// answers is soon forgiven.
func TestStandings(t *testing.T) {
	s := newStandings(2)
	s.now = time.Now()
	sitsOut := func() (seconds int) {
		for s.missed(0, s.now); s.out(0); s.now = s.now.Add(time.Second) {
			seconds++
		}
		return seconds
	}
	var times []int
	for range 10 {
		times = append(times, sitsOut())
	}
	equal(t, "seconds", fmt.Sprint(times), "[8 16 32 64 128 256 512 1024 1024 1024]")
	equal(t, "the other one", s.out(1), false)
	s.missed(0, s.now)
	s.returned(0)
	equal(t, "back though it was late eleven times", s.out(0), true)
	s.now = s.now.Add(time.Hour)
	for range forgiveness * maxStrikes {
		s.answered(0)
	}
	equal(t, "seconds after many answers", sitsOut(), 8)
	s.missed(0, s.now)
	s.returned(0)
	equal(t, "out though its answer came", s.out(0), false)
}

// Retries are bounded by what succeeds.
func TestBudget(t *testing.T) {
	b := budget{tenths: 10 * maxRetries}
	count := func() (n int) {
		for b.take() {
			n++
		}
		return n
	}
	equal(t, "at first", count(), maxRetries)
	b.tick()
	equal(t, "in a second", count(), 1)
	for range 50 {
		b.answered()
	}
	equal(t, "after 50 answers", count(), 5)
	for range 1000 {
		b.answered()
	}
	equal(t, "after a quiet time", count(), maxRetries)
}

// What is late follows what was measured, within bounds.
func TestWait(t *testing.T) {
	var l lane
	equal(t, "at first", l.wait(1), firstWait+perItemWait)
	for range 100 {
		l.pace.add(time.Millisecond)
	}
	equal(t, "on a fast fleet", l.wait(1), leastWait)
	equal(t, "1,000 items there", l.wait(1000).Round(100*time.Millisecond), 3*time.Second)
	for range 100 {
		l.pace.add(300 * time.Millisecond)
	}
	equal(t, "on a slow one", l.wait(1).Round(10*time.Millisecond), 900*time.Millisecond)
	for range 100 {
		l.pace.add(time.Minute)
	}
	equal(t, "at most", l.wait(1), attemptLife(1)/2)
}
