package protocol

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// wideFleet is a sharedFleet of devices far away: a job takes its time, half of them up
// to so many times more, and many are done at a time. Its clients always have a number of
// jobs open, of some items each.
type wideFleet struct {
	sharedFleet
	spread  float64
	random  *rand.Rand
	clients map[string]int // items of each one's jobs
	done    map[string]int
}

func newWideFleet(gateways int, capacity, spread float64) *wideFleet {
	f := &wideFleet{
		sharedFleet: sharedFleet{service: 60, capacity: capacity}, spread: spread,
		random: rand.New(rand.NewPCG(3, 4)), clients: map[string]int{}, done: map[string]int{},
	}
	for range gateways {
		f.begin()
	}
	return f
}

func (f *wideFleet) ask(client string, items int) {
	f.gateways[f.random.IntN(len(f.gateways))].add(waiting(client, items))
}

// flood has a client keep jobs open.
func (f *wideFleet) flood(client string, jobs, items int) {
	f.clients[client] = items
	for range jobs {
		f.ask(client, items)
	}
}

// pass passes seconds; each gateway has them begin at another moment. single asks for
// that many signatures a second besides.
func (f *wideFleet) pass(from, to, single int) {
	for n := from * 1000 * perMS; n < to*1000*perMS; n++ {
		now := float64(n) / perMS
		for i, g := range f.gateways {
			if (n-i*300*perMS)%(1000*perMS) == 0 {
				f.tick(g, time.Unix(1_800_000_000, 0).Add(time.Duration(n)*time.Millisecond/perMS))
			}
		}
		if single > 0 && n%(1000*perMS/single) == 0 {
			f.ask("single", 1)
		}
		for _, g := range f.gateways {
			for j := g.next(); j != nil; j = g.next() {
				service := f.service + 2*float64(len(j.left)-1)
				if f.random.IntN(2) == 0 {
					service *= 1 + f.random.Float64()*f.spread
				}
				f.flights = append(f.flights, &flight{j, g, service, 0, now})
			}
		}
		for _, j := range f.step(now) {
			f.done[j.Signed.Client]++
			if items, floods := f.clients[j.Signed.Client]; floods {
				f.ask(j.Signed.Client, items)
			}
		}
	}
}

// However many clients always have jobs open, at one gateway or three, that have seen the
// fleet idle or were started into the flood, whether devices are steady or not and jobs
// alike or not: the window finds that the fleet does many at a time, nobody starves, and
// what an idle fleet takes does not go out of date.
func TestWideFleet(t *testing.T) {
	for _, c := range []struct {
		gateways, clients, items int
		idle                     bool
		spread                   float64
	}{
		{1, 2, 1, true, 0}, {1, 2, 1, false, 0}, {1, 2, 1, true, 1}, {1, 50, 1, true, 1}, {1, 50, 1, false, 2},
		{1, 2, 10, true, 0}, {3, 2, 1, true, 1}, {3, 50, 1, false, 2}, {3, 50, 10, false, 0},
		{1, 1, 1, true, 1}, {3, 1, 1, false, 1},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			f := newWideFleet(c.gateways, 200, c.spread)
			if c.idle {
				f.pass(0, 10, 2)
			}
			for i := range c.clients {
				f.flood(fmt.Sprint(i), 200/c.clients, []int{1, c.items}[i%2])
			}
			f.pass(10, 75, 0)
			clear(f.done)
			f.pass(75, 105, 0)
			total, least := 0, 1<<30
			for i := range c.clients {
				done := f.done[fmt.Sprint(i)]
				total, least = total+done, min(least, done)
			}
			busy := float64(total) * f.service / 30_000
			t.Logf("%.1f at a time, the least of a client %d", busy, least)
			if busy < 40 {
				t.Errorf("%.1f jobs at a time in a fleet that does 200", busy)
			}
			if 10*least*c.clients < total {
				t.Errorf("a client has %d jobs done of %d", least, total)
			}
			for _, g := range f.gateways {
				if g.small.window.unseen > 70 {
					t.Errorf("a gateway saw no idle fleet for %d s", g.small.window.unseen)
				}
			}
		})
	}
}

// A gateway that is started into a flood looks at the idle fleet when the others do. Each
// would take the others' jobs for what an idle fleet is like, and open its window for ever.
func TestLooksTogether(t *testing.T) {
	f := newWideFleet(1, 2, 0)
	f.pass(0, 10, 2)
	f.flood("a", 200, 1)
	f.flood("b", 200, 1)
	f.pass(10, 47, 0)
	f.begin()
	f.pass(47, 71, 0)
	f.begin()
	f.pass(71, 700, 0)
	for i, g := range f.gateways {
		w := g.small.window
		if idle := float64(w.idle) / float64(time.Millisecond); idle > 1.6*f.service {
			t.Errorf("gateway %d takes %.0f ms for an idle fleet's, and it is %.0f", i, idle, f.service)
		}
	}
	if n := len(f.flights); n > 9 {
		t.Errorf("%d jobs in flight in a fleet that does 2", n)
	}
}

// Clients that are let through beside a full window take turns: one that always has jobs
// takes no other's.
func TestNewcomersTakeTurns(t *testing.T) {
	l := lane{window: newWindow(2, maxWindow), queue: fairQueue{turn: 1}}
	const clients = 10
	for i := range clients {
		for range 100 {
			l.queue.add(waiting(fmt.Sprint(i), 1+9*(i%2)))
		}
	}
	var flights []*activeSign
	items := map[string]int{}
	for range 300 {
		for j := l.next(true); j != nil; j = l.next(true) {
			flights = append(flights, j)
			items[j.Signed.Client] += len(j.left)
		}
		l.landed(flights[0])
		flights = flights[1:]
	}
	for i := range clients {
		if items[fmt.Sprint(i)] < 40 {
			t.Errorf("client %d has %d items done: %v", i, items[fmt.Sprint(i)], items)
		}
	}
	equal(t, "in flight", l.flying, len(flights))
	for _, j := range slices.Backward(flights) {
		l.landed(j)
	}
	equal(t, "in flight in the end", l.flying+len(l.of), 0)
}

// A look that nothing comes of, as something hangs, does not stop the lane.
func TestLookGivenUp(t *testing.T) {
	w := newWindow(8, maxWindow)
	w.took(time.Millisecond, true, 0)
	now := time.Unix(1_800_000_000, 0)
	w.tick(now, 1, true)
	for range 60 + maxLook {
		now = now.Add(time.Second)
		w.tick(now, 1, true)
	}
	equal(t, "looks", w.blind(), true)
	equal(t, "lets another one through", 1 < w.flights(), false)
	w.tick(now.Add(time.Second), 1, true)
	equal(t, "goes on", 1 < w.flights(), true)
	equal(t, "by what it knew", w.idle, time.Millisecond)
}

// Whatever becomes of jobs, and in whatever order: the lanes know how many are in flight,
// and of whom, which of them rest, and what is in flight ends.
func TestLanesKeepCount(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	tr := newTraffic(CoordinatorConfig{Bulk: Range{6, 6}, Manifest: &wire.Manifest{N: 3}}, newPresence())
	tr.tick(time.Unix(1_800_000_000, 0))
	var all []*activeSign
	for n := range 40_000 {
		if len(all) < 60 {
			j := waiting(fmt.Sprint(random.IntN(5)), []int{1, 10, 100}[random.IntN(3)])
			all = append(all, j)
			tr.add(j)
		}
		i := random.IntN(len(all))
		switch j := all[i]; random.IntN(8) {
		case 0: // it ends, or its gateway gives it back
			tr.end(j)
			tr.end(j)
		case 1: // its attempt came to nothing, or it is paused once more
			if j.place == flying || j.place == paused {
				tr.end(j)
				j.place = paused
			}
		case 2:
			tr.again(j)
		case 3:
			j.left = j.left[:max(1, len(j.left)/2)] // some items are signed
		case 4: // it ends in flight
			j.took = time.Duration(random.IntN(3)) * time.Millisecond
			tr.storing(j)
			tr.storing(j)
			tr.end(j)
		case 5: // a result is stored, or its timer comes, perhaps once more or of another life
			tr.small.window.limit = []float64{restWindow, 0.5, 1, 3}[random.IntN(4)]
			flight := random.Uint64N(tr.flights + 2)
			if rest := tr.landed(Finished{Flight: flight}); rest <= 0 || rest > maxRest {
				equal(t, "rests for ever", rest, 0)
			}
		case 6:
			tr.rested(random.Uint64N(tr.flights + 2))
		default:
			tr.next()
		}
		all = slices.DeleteFunc(all, func(j *activeSign) bool { return j.place == nowhere })
		if n%1000 == 0 {
			tr.tick(time.Unix(1_800_000_000+int64(n/1000), 0))
		}
		checkLanes(t, &tr, all)
	}
	for flight := range tr.flights + 1 {
		if tr.landed(Finished{Flight: flight}) > 0 {
			tr.rested(flight)
		}
		tr.rested(flight)
	}
	equal(t, "results being stored in the end", len(tr.stores), 0)
	equal(t, "that rest in the end", tr.small.resting+tr.bulk.resting, 0)
}

func checkLanes(t *testing.T, tr *traffic, all []*activeSign) {
	t.Helper()
	for _, l := range []*lane{&tr.small, &tr.bulk} {
		flies, rests, of := 0, 0, map[string]int{}
		for _, j := range all {
			if tr.lane(j) != l || j.place != flying && j.place != storing && j.place != resting {
				continue
			}
			flies++
			of[j.Signed.Client]++
			if j.place == resting {
				rests++
			}
		}
		if l.flying != flies || l.resting != rests || !maps.Equal(of, l.of) && len(of)+len(l.of) > 0 {
			t.Fatalf("%d in flight, %v, %d rest; the lane has %d, %v, %d", flies, of, rests, l.flying, l.of, l.resting)
		}
	}
}
