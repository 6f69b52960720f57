package protocol

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A window of less than one job lets one through and has its client rest: a timer ends
// that, and another client's job does not wait for it.
func TestRest(t *testing.T) {
	f := agedFleet(t)
	lane := &f.desk.signing.traffic.small
	lane.window = window{limit: restWindow, most: maxWindow}
	first := &signCase{f, f.signing(8, "alice", item(f.btc, 0, "first"))}
	first.desk.arrive(first.job, nil)
	f.desk.arrive(f.signing(9, "alice", item(f.btc, 0, "second")), nil)
	first.drainTasks()
	f.now = f.now.Add(20 * time.Millisecond)
	first.drain()
	equal(t, "done", len(f.desk.finished), 1)
	equal(t, "rest", lane.resting, 1)
	equal(t, "waiting", lane.queue.waiting(), 1)
	f.desk.timeout(timerRest)
	equal(t, "waiting afterwards", lane.queue.waiting(), 0)
	equal(t, "in flight", lane.flying, 1)
	f.desk.timeout(timerRest) // once more
	equal(t, "in flight still", lane.flying, 1)
	equal(t, "rest in the end", lane.resting+len(f.desk.signing.traffic.stores), 0)
}

// A client whose result could not be stored for minutes does not rest for minutes; and
// gateways that say that they have jobs do not keep the others at rest.
func TestRestIsBounded(t *testing.T) {
	w := window{limit: restWindow, most: maxWindow}
	about := func(what string, rest, want time.Duration) {
		equal(t, what, rest.Round(time.Millisecond), want)
	}
	about("after a job", w.rest(20*time.Millisecond, false, 1), 60*time.Millisecond)
	about("after an outage", w.rest(10*time.Minute, false, 1), maxRest)
	w.limit = 1
	about("with a window of one", w.rest(20*time.Millisecond, false, 1), 0)
	w.look()
	about("in a look, with nobody else", w.rest(20*time.Millisecond, true, 0), 0)
	about("in a look, with two", w.rest(20*time.Millisecond, true, 2), 40*time.Millisecond)
	about("in a look, with many", w.rest(20*time.Millisecond, true, 1<<40), maxRest)
}

// What is in flight when a look begins makes room for it at once, at all gateways.
func TestLookBeginsAtOnce(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	tr := newTraffic(CoordinatorConfig{Name: "a", Manifest: &wire.Manifest{N: 3}}, newPresence())
	tr.presence.gateways["b"] = &chain{heard: now, last: &wire.Heartbeat{Backlog: 1}}
	tr.tick(now)
	for range 10 {
		tr.add(waiting("one", 1))
	}
	tr.small.window.limit = 3
	var flights []*activeSign
	for j := tr.next(); j != nil; j = tr.next() {
		flights = append(flights, j)
	}
	equal(t, "in flight", len(flights), 3)
	tr.small.window.look()
	land := func(j *activeSign) time.Duration {
		j.took = 20 * time.Millisecond
		return tr.landed(Finished{Flight: tr.storing(j)})
	}
	for _, j := range flights {
		equal(t, "begins in the look", tr.next(), nil)
		equal(t, "rest of one from before", land(j), 0)
	}
	if rest := land(tr.next()); rest <= 0 || rest > 40*time.Millisecond {
		t.Errorf("one that looked for 20 ms rests for %v", rest)
	}
	equal(t, "begins while it rests", tr.next(), nil)
}

// Flights of several clients and gateways do not rest at the same time, and the fleet with them.
func TestGreedyClientsFillAFleet(t *testing.T) {
	f := newWideFleet(2, 2, 0)
	f.pass(0, 10, 2)
	f.flood("a", 256, 1)
	f.flood("b", 256, 1)
	f.pass(10, 30, 0)
	clear(f.done)
	f.pass(30, 50, 0)
	if busy := float64(f.done["a"]+f.done["b"]) * f.service / 20_000 / f.capacity; busy < 0.85 {
		t.Errorf("the fleet is busy for %.0f%%, with jobs waiting", 100*busy)
	}
}

// Who has a job waiting now and then, beside a client that always has many, does not rest; who has many too does.
func TestModestClientsDoNotRest(t *testing.T) {
	tr := newTraffic(CoordinatorConfig{Name: "a", Manifest: &wire.Manifest{N: 3}}, newPresence())
	for client, jobs := range map[string]int{"greedy": 128, "half as greedy": 64, "modest": 3} {
		for range jobs {
			tr.add(waiting(client, 1))
		}
	}
	rests := map[string]bool{}
	for range 3 {
		tr.small.window.limit = restWindow
		j := tr.next()
		j.took = 20 * time.Millisecond
		rests[j.Signed.Client] = tr.landed(Finished{Flight: tr.storing(j)}) > 0
	}
	equal(t, "who has most rests", rests["greedy"], true)
	equal(t, "who has half as many rests", rests["half as greedy"], true)
	equal(t, "who has few rests", rests["modest"], false)
}

// A second client that comes to a fleet which does many at a time does not stop it: what was in flight in the first
// one's wide window takes longer than it may now, and shows nothing of a small one.
func TestSecondClientOfAWideFleet(t *testing.T) {
	f := newWideFleet(1, 200, 0)
	f.flood("a", 1, 1)
	f.pass(0, 3, 0)
	f.flood("a", 255, 1)
	f.pass(3, 8, 0)
	f.flood("b", 256, 1)
	clear(f.done)
	f.pass(8, 13, 0)
	if busy := float64(f.done["a"]+f.done["b"]) * f.service / 5_000; busy < 100 {
		t.Errorf("%.0f jobs at a time in a fleet that does 200", busy)
	}
}

// Where most jobs take longer, and others don't, as devices vary, the window does not become less than one.
func TestWindowOfVaryingDevices(t *testing.T) {
	closes := func(times ...time.Duration) float64 {
		w := window{limit: sharedWindow, most: maxWindow, shared: true, idle: 100 * time.Millisecond}
		for i := range 200 {
			w.took(times[i%len(times)]*time.Millisecond, false, 2)
		}
		return w.limit
	}
	if limit := closes(80, 150, 150, 80, 150); limit < leastWindow {
		t.Errorf("a window of %.1f where three of five are slow", limit)
	}
	equal(t, "where all are slow", closes(130, 150), restWindow)
}

// The middle of the latest is the one that sorting them gives.
func TestRecent(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var r recent
	var all []time.Duration
	for range 2000 {
		took, most := time.Duration(random.IntN(50)), 1+random.IntN(40)
		all = append(all, took)
		all = all[max(len(all)-most, 0):]
		equal(t, "median", r.add(took, most), median(slices.Clone(all)))
		equal(t, "kept", len(r.came), len(all))
		equal(t, "sorted", len(r.sorted), len(all))
	}
}
