// Package loadgen puts load on something and measures how it answers.
//
// The load is open-loop unless told otherwise: operation i is due at
// start + i/Rate, whether earlier ones have ended or not, and its latency
// counts from when it was due. A generator that waits for one answer before
// it asks again asks least when the other side is slowest, and so misses the
// very latencies that a user would have seen ("coordinated omission"). What
// could not even be started in time is counted and reported.
package loadgen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Load is what to do, and how fast.
type Load struct {
	Name string // of the report; may be empty
	Unit string // what an item is, in the plural; "items" if empty

	Rate     float64       // operations a second; 0: closed loop, Workers at a time as fast as they go
	Duration time.Duration // how long operations are started; 0: until Count
	Count    int           // or how many operations; 0: until Duration
	Workers  int           // in flight at most; 1024 open-loop and 1 closed-loop if 0

	// Do runs operation i, at most Workers at a time. items is how many things
	// it made, also beside an error. A failed operation has no latency.
	Do func(ctx context.Context, i int) (items int, err error)
	// Busy, if set, distinguishes "come again later" from failures.
	Busy func(err error) bool
	// Progress, if set, is called five times a second with how far the load is, and once
	// at the end. Calls do not overlap.
	Progress func(Snapshot)
}

// Snapshot is how far a load is.
type Snapshot struct {
	Elapsed                     time.Duration
	Started, Done, Failed, Busy int // operations
	Items                       int
}

const (
	defaultOpenWorkers = 1024
	progressEvery      = 200 * time.Millisecond
)

// Run puts the load on, waits for every operation that it started, and
// reports. Operations that fail are in the report and are no error of Run. If
// ctx ends early, the report is as far as it got and the error is ctx.Err().
func Run(ctx context.Context, l Load) (*Report, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	r := newRecorder(&l)
	ended := make(chan struct{})
	var progress sync.WaitGroup
	if l.Progress != nil {
		progress.Go(func() { r.follow(l.Progress, ended) })
	}
	l.run(ctx, r)
	close(ended)
	progress.Wait()
	report := r.finish()
	if report.Interrupted {
		return report, ctx.Err()
	}
	return report, nil
}

// check reports everything that is wrong, and fills in defaults.
func (l *Load) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("load: "+format, args...)) }
	if l.Do == nil {
		bad("nothing to do: set Do")
	}
	if l.Rate < 0 || math.IsNaN(l.Rate) || math.IsInf(l.Rate, 0) {
		bad("rate %g: use a positive number of operations a second, or 0 for a closed loop", l.Rate)
	}
	if l.Duration < 0 || l.Count < 0 || l.Workers < 0 {
		bad("duration %s, count %d, workers %d: none may be negative", l.Duration, l.Count, l.Workers)
	}
	if l.Duration == 0 && l.Count == 0 {
		bad("it would never end: set Duration or Count")
	}
	if l.Workers == 0 {
		if l.Workers = 1; l.Rate > 0 {
			l.Workers = defaultOpenWorkers
		}
	}
	l.Unit = cmp.Or(l.Unit, "items")
	return errors.Join(errs...)
}

// total is how many operations there are at most; 0 if that is not known
// before the end.
func (l *Load) total() int {
	due := int(math.Ceil(l.Rate * l.Duration.Seconds()))
	switch {
	case l.Rate == 0 || l.Duration == 0:
		return l.Count
	case l.Count == 0:
		return due
	}
	return min(l.Count, due)
}

// run starts operations, in an open loop each when it is due and in a closed loop
// as soon as one of the workers is free, and waits for them.
func (l *Load) run(ctx context.Context, r *recorder) {
	var under sync.WaitGroup
	defer under.Wait()
	permits := semaphore.NewWeighted(int64(l.Workers))
	starting := ctx // ends when no further operation starts
	if l.Duration > 0 {
		var cancel context.CancelFunc
		starting, cancel = context.WithDeadline(ctx, r.start.Add(l.Duration))
		defer cancel()
	}
	total := l.total()
	for i := 0; total == 0 || i < total; i++ {
		var due time.Time
		var permitted bool
		if l.Rate > 0 {
			due = r.start.Add(time.Duration(float64(i) / l.Rate * float64(time.Second)))
			// After the load's time only a free permit is taken: an operation that was due just before
			// the end is not lost, and a backlog does not go on for ever.
			permitted = sleepUntil(ctx, due) && (permits.TryAcquire(1) || permits.Acquire(starting, 1) == nil)
		} else {
			permitted = permits.Acquire(starting, 1) == nil
			due = time.Now()
		}
		if !permitted {
			r.givenUp(total-i, ctx.Err() != nil)
			return
		}
		under.Go(func() {
			defer permits.Release(1)
			r.begin()
			items, err := l.Do(ctx, i)
			r.ended(ctx, items, time.Since(due), err)
		})
	}
}

// sleepUntil reports whether the time came before ctx ended.
func sleepUntil(ctx context.Context, due time.Time) bool {
	soon, cancel := context.WithDeadline(ctx, due.Add(-timerSlack))
	defer cancel()
	<-soon.Done()
	if ctx.Err() != nil {
		return false
	}
	rest(time.Until(due))
	time.Sleep(time.Until(due)) // nothing is left, but by the clock of a test
	return true
}

// timerSlack is by how much a timer of an idle Go program may be late: it wakes
// by whole milliseconds. Half a millisecond is a sixth of a single signature's
// time, and would count as its latency.
const timerSlack = 2 * time.Millisecond
