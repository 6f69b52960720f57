package protocol

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// sharedFleet is a fleet that all gateways share, in time that a test counts: each job
// in flight takes as long as it does alone, or longer where more of them are in flight
// than the fleet does at a time.
type sharedFleet struct {
	service  float64 // of one alone, ms
	capacity float64 // how many are done as fast as one
	gateways []*traffic
	flights  []*flight
	rests    []rest
}

// rest is that of a flight.
type rest struct {
	at     *traffic
	flight uint64
	until  float64
}

type flight struct {
	*activeSign
	at         *traffic
	left       float64 // of its service
	asked, off float64 // when, ms
}

// begin starts a gateway.
func (f *sharedFleet) begin() {
	name := fmt.Sprint(len(f.gateways))
	g := newTraffic(CoordinatorConfig{Name: name, Manifest: &wire.Manifest{N: 3}}, newPresence())
	for other, at := range f.gateways {
		at.presence.gateways[name] = &chain{last: &wire.Heartbeat{}}
		g.presence.gateways[fmt.Sprint(other)] = &chain{last: &wire.Heartbeat{}}
	}
	f.gateways = append(f.gateways, &g)
}

// tick passes a second at a gateway; then the others hear how much it has to do.
func (f *sharedFleet) tick(g *traffic, now time.Time) {
	g.tick(now)
	for _, other := range f.gateways {
		if c := other.presence.gateways[g.self]; c != nil {
			c.heard, c.last.Backlog = now, uint32(g.small.flying+g.small.queue.waiting())
		}
	}
}

// perMS is how many steps a millisecond has.
const perMS = 1

// step passes a part of a millisecond and returns what has ended.
func (f *sharedFleet) step(now float64) (ended []*flight) {
	f.rests = slices.DeleteFunc(f.rests, func(r rest) bool {
		if r.until > now {
			return false
		}
		r.at.rested(r.flight)
		return true
	})
	rate := min(1, f.capacity/float64(max(1, len(f.flights))))
	f.flights = slices.DeleteFunc(f.flights, func(j *flight) bool {
		j.left -= rate / perMS
		if j.left > 0 {
			return false
		}
		j.took = time.Duration((now - j.off) * float64(time.Millisecond))
		flight := j.at.storing(j.activeSign)
		if left := j.at.landed(Finished{Flight: flight}); left > 0 {
			f.rests = append(f.rests, rest{j.at, flight, now + float64(left)/float64(time.Millisecond)})
		}
		ended = append(ended, j)
		return true
	})
	return ended
}

// A client at its quota fills every gateway's queue for as long as it likes: another
// one's single signatures take about twice what they take alone, on a fleet that does
// two at a time, less on a larger one, and the fleet does not idle. The slowest are those
// that come in a look.
func TestBesideAQuota(t *testing.T) {
	for _, c := range []struct{ capacity, p50, p99, busy float64 }{
		{2, 1.7, 2.8, .9}, {4, 1.5, 2.6, .9}, {16, 1.3, 2.3, .9},
	} {
		t.Run(fmt.Sprint(c.capacity), func(t *testing.T) {
			p50, p99, busy := besideAQuota(sharedFleet{service: 20, capacity: c.capacity})
			t.Logf("p50 %.1fx, p99 %.1fx; the fleet is busy for %.0f%%", p50, p99, 100*busy)
			if p50 > c.p50 || p99 > c.p99 || busy < c.busy {
				t.Errorf("want at most %.1fx, %.1fx, at least %.0f%%", c.p50, c.p99, 100*c.busy)
			}
		})
	}
}

// besideAQuota asks for ten signatures a second for two minutes; after ten seconds the
// flooder has 256 jobs open. It gives the latencies as multiples of the service time,
// from when the windows had ten seconds more.
func besideAQuota(f sharedFleet) (p50, p99, busy float64) {
	f.begin()
	f.begin()
	random := rand.New(rand.NewPCG(1, 2))
	asked := map[*activeSign]float64{}
	ask := func(client string, now float64) {
		j := waiting(client, 1)
		asked[j] = now
		f.gateways[random.IntN(len(f.gateways))].add(j)
	}
	var others []float64
	done, begin := 0, time.Unix(1_800_000_000, 0)
	for n := range 120_000 * perMS {
		now := float64(n) / perMS
		if n%(1000*perMS) == 0 {
			for _, g := range f.gateways {
				f.tick(g, begin.Add(time.Duration(n)*time.Millisecond/perMS))
			}
		}
		if n%(100*perMS) == 0 {
			ask("other", now)
		}
		for range 256 {
			if n == 10_000*perMS {
				ask("flooder", now)
			}
		}
		for _, g := range f.gateways {
			for j := g.next(); j != nil; j = g.next() {
				f.flights = append(f.flights, &flight{j, g, f.service, asked[j], now})
			}
		}
		for _, j := range f.step(now) {
			delete(asked, j.activeSign)
			if j.Signed.Client == "flooder" {
				ask("flooder", now)
			}
			if n > 20_000*perMS {
				done++
				if j.Signed.Client == "other" {
					others = append(others, (now-j.asked)/f.service)
				}
			}
		}
	}
	slices.Sort(others)
	return others[len(others)/2], others[len(others)*99/100], float64(done) / 100_000 * f.service / f.capacity
}

// A job is in flight until its result is stored, as that takes as much of the servers as
// the rest of it: what waits to be stored holds up the next one.
func TestFlightLastsUntilStored(t *testing.T) {
	f := agedFleet(t)
	lane := &f.desk.signing.traffic.small
	lane.window = newWindow(1, 1)
	f.desk.storing = true
	first := &signCase{f, f.signing(8, "alice", item(f.btc, 0, "first"))}
	first.desk.arrive(first.job, nil)
	second := f.signing(9, "alice", item(f.btc, 0, "second"))
	f.desk.arrive(second, nil)
	first.drainTasks()
	f.now = f.now.Add(20 * time.Millisecond)
	first.drain()
	equal(t, "done", len(f.desk.finished), 1)
	equal(t, "in flight", lane.flying, 1)
	equal(t, "waiting", lane.queue.waiting(), 1)
	equal(t, "measured", lane.window.idle, 0)
	f.desk.do(Finished{Flight: f.desk.finished[0].Flight, Took: 30 * time.Millisecond})
	equal(t, "waiting afterwards", lane.queue.waiting(), 0)
	equal(t, "in flight afterwards", lane.flying, 1)
	equal(t, "measured afterwards", lane.window.idle, 50*time.Millisecond)
	f.desk.do(Finished{Flight: f.desk.finished[0].Flight}) // once more, or another life's
	equal(t, "in flight at last", lane.flying, 1)
}

// Once several clients ask, what other gateways have in work is known seconds later, and
// one that has jobs waiting has some in flight now and then.
func TestWhoHasTheFleetToItself(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	traffic := newTraffic(CoordinatorConfig{Name: "a", Manifest: &wire.Manifest{N: 3}}, newPresence())
	other := &chain{last: &wire.Heartbeat{}}
	traffic.presence.gateways["b"] = other
	traffic.presence.gateways["a"] = &chain{last: &wire.Heartbeat{InFlight: 9}}
	tick := func() bool {
		now = now.Add(time.Second)
		for _, c := range traffic.presence.gateways {
			c.heard = now
		}
		traffic.tick(now)
		return traffic.idle()
	}
	equal(t, "one client", tick(), true)
	traffic.add(waiting("one", 1))
	traffic.add(waiting("another", 1))
	equal(t, "at once", traffic.idle(), false)
	for range quietTicks - 2 {
		equal(t, "a tick later", tick(), false)
	}
	equal(t, "three ticks later", tick(), true)
	other.last = &wire.Heartbeat{Backlog: 1}
	equal(t, "beside a queue", tick(), false)
	other.last = &wire.Heartbeat{}
	for range quietTicks - 1 {
		equal(t, "just after", tick(), false)
	}
	equal(t, "after a while", tick(), true)
}
