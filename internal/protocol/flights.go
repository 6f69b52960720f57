package protocol

import (
	"math"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Range bounds how many batches, or large sign jobs, are under way at a gateway.
type Range struct {
	Least int // this many, whatever is measured
	Most  int // no more, since each takes memory of everybody
}

// What a gateway and each node may hold, in bytes, for one gateway's batches, and as much again for its large sign
// jobs. Below that a few are under way even so.
const (
	flightBytes = 256 << 20
	fewFlights  = 4
	mostFlights = 64
	itemBytes   = 2 << 10 // an item of a sign job, with its key, as it came and decoded
)

// FlightRanges are the bounds of a fleet's batches and large sign jobs at a gateway that has so many cores. The least
// is one for each core, and two (batches) or four (jobs, which have two rounds) that wait for somebody else meanwhile.
func FlightRanges(cores int, m *wire.Manifest) (batches, bulk Range) {
	batch, job := 0, 0
	for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
		perKey := (m.T+1)*suite.PointSize() + frost.ScalarSize + m.N*frost.ScalarSize
		batch = max(batch, 2*m.N*wire.BatchSize(suite, m.N, m.T)*perKey) // as they came, and decoded
		job = max(job, frost.MaxBatch*(m.N*suite.NonceSize()+m.T*frost.ScalarSize+itemBytes))
	}
	return flightRange(cores+2, batch), flightRange(cores+4, job)
}

func flightRange(wanted, size int) Range {
	most := min(max(flightBytes/size, fewFlights), mostFlights)
	return Range{min(wanted, most), most}
}

// flights finds how many are to be under way by Little's law: rate times time is how many are under way where nobody
// waits for another one. Twice that shows whether the fleet does more when it is asked for more: while it does the rate
// grows, and the limit with it, and once all cores or devices are busy neither does.
type flights struct {
	bounds Range
	took   time.Duration // an item's share of what a job takes that waits for no other; 0: nothing was measured
	rate   float64       // items a second, lately
	done   int           // items since the last tick
	ticked time.Time

	underWay, begun int // of who counts them here
}

// begin counts one as under way, and gives it a number.
func (f *flights) begin() (flight int) {
	f.underWay++
	f.begun++
	return f.begun
}

func (f *flights) end() { f.underWay-- }

// free reports whether another one may begin.
func (f *flights) free() bool { return f.underWay < f.limit() }

// alone reports whether one that is under way has had no company since it began.
func (f *flights) alone(flight int) bool { return f.underWay == 1 && flight == f.begun }

// forgets is by how much less the best rate counts with each second: what nobody asked for shows no limit of the fleet,
// and it was another fleet a minute ago.
const forgets = 0.95

// landed learns from a job of so many items: took is an item's share. With others beside it a job shows no more than an
// upper bound of what it takes alone.
func (f *flights) landed(items int, took time.Duration, alone bool) {
	f.done += items
	if took > 0 && (alone || f.took == 0 || took < f.took) {
		f.took = took
	}
}

// tick is told the time every second.
func (f *flights) tick(now time.Time) {
	if passed := now.Sub(f.ticked); !f.ticked.IsZero() && passed > 0 {
		f.rate = max(forgets*f.rate, float64(f.done)/max(passed, time.Second).Seconds())
	}
	f.ticked, f.done = now, 0
}

// limit is how many may be under way.
func (f *flights) limit() int { return f.bounds.limit(f.rate, f.took) }

// limit is that for items at a rate, each of which takes its share of a job's time.
func (r Range) limit(rate float64, took time.Duration) int {
	wanted := math.Ceil(2 * rate * took.Seconds())
	return int(max(min(wanted, float64(r.Most)), float64(r.Least)))
}
