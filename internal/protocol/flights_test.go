package protocol

import (
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func TestFlightLimit(t *testing.T) {
	r := Range{Least: 6, Most: 64}
	for _, c := range []struct {
		name string
		rate float64
		took time.Duration
		want int
	}{
		{"nothing measured", 0, 0, 6},
		{"a small machine", 4000, 140 * time.Microsecond, 6},
		{"many cores", 60_000, 140 * time.Microsecond, 17},
		{"devices that take half a second", 20_000, 600 * time.Microsecond, 24},
		{"no more than memory bears", 100_000, time.Millisecond, 64},
		{"a clock that jumped", 1e9, time.Hour, 64},
	} {
		equal(t, c.name, r.limit(c.rate, c.took), c.want)
	}
	equal(t, "fixed", Range{3, 3}.limit(1e6, time.Second), 3)
}

// The bounds follow from cores and from what a batch takes in memory.
func TestFlightRanges(t *testing.T) {
	for _, c := range []struct {
		cores, n, t   int
		batches, bulk Range
	}{
		{1, 3, 2, Range{3, 64}, Range{5, 64}},
		{2, 3, 2, Range{4, 64}, Range{6, 64}},
		{16, 3, 2, Range{18, 64}, Range{20, 64}},
		{16, 24, 16, Range{10, 10}, Range{20, 47}},
		{64, 128, 86, Range{4, 4}, Range{12, 12}},
	} {
		batches, bulk := FlightRanges(c.cores, &wire.Manifest{N: c.n, T: c.t})
		if batches != c.batches || bulk != c.bulk {
			t.Errorf("%d cores, %d of %d: batches %v, bulk %v; want %v and %v",
				c.cores, c.t, c.n, batches, bulk, c.batches, c.bulk)
		}
	}
}

// modelled runs a fleet that does a job in a time of its own (others, devices) and some of a processor's, of which it
// has a few, for as long as told. It returns the last limit.
func modelled(f *flights, cores int, own, work time.Duration, seconds int) int {
	const items = 1000
	now, pending := t0, 0.0
	for range seconds {
		limit := f.limit()
		most := float64(cores) / work.Seconds()                             // jobs a second that the cores do
		rate := min(float64(limit)/(own+work).Seconds(), most)              // or that are asked for
		took := time.Duration(float64(limit) / rate * float64(time.Second)) // Little's law
		for pending += rate; pending >= 1; pending-- {
			f.landed(items, took/items, limit == 1)
		}
		now = now.Add(time.Second)
		f.tick(now)
	}
	return f.limit()
}

// The limit grows until the fleet does no more, and comes to rest at twice what keeps it busy, wherever that is.
func TestFlightsFindTheFleet(t *testing.T) {
	for _, c := range []struct {
		name      string
		cores     int
		own, work time.Duration
		want      [2]int
	}{
		{"two cores", 2, 20 * time.Millisecond, 100 * time.Millisecond, [2]int{6, 6}},
		{"sixteen cores, near", 16, 20 * time.Millisecond, 100 * time.Millisecond, [2]int{38, 42}},
		{"two cores, devices far away", 2, 600 * time.Millisecond, 100 * time.Millisecond, [2]int{27, 30}},
		{"sixteen cores, devices far away", 16, 600 * time.Millisecond, 100 * time.Millisecond, [2]int{64, 64}},
	} {
		f := &flights{bounds: Range{6, 64}}
		f.landed(1, (c.own+c.work)/1000, true)
		got := modelled(f, c.cores, c.own, c.work, 60)
		if got < c.want[0] || got > c.want[1] {
			t.Errorf("%s: %d, want %d to %d", c.name, got, c.want[0], c.want[1])
		}
		if again := modelled(f, c.cores, c.own, c.work, 600); again < c.want[0] || again > c.want[1] {
			t.Errorf("%s: %d ten minutes later", c.name, again)
		}
	}
}

// A rate that nobody asks for any more is forgotten, and jobs beside others make nothing look slower than it is.
func TestFlightsForget(t *testing.T) {
	f := &flights{bounds: Range{2, 64}}
	f.landed(1000, time.Millisecond, true)
	f.landed(1000, 50*time.Millisecond, false)
	equal(t, "took", f.took, time.Millisecond)
	modelled(f, 16, 600*time.Millisecond, 100*time.Millisecond, 60)
	if f.limit() < 10 {
		t.Fatalf("limit %d of a busy fleet", f.limit())
	}
	for i := range 300 {
		f.tick(t0.Add(time.Duration(100+i) * time.Second))
	}
	equal(t, "limit of an idle fleet", f.limit(), 2)
	f.landed(1000, 3*time.Millisecond, true) // alone: it is slower now
	equal(t, "took", f.took, 3*time.Millisecond)
}
