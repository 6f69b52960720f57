package main

import (
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"
)

// subject is a computation whose time must not depend on what it computes with.
type subject struct {
	name  string
	leaks bool // for comparison: its time depends on it, which must be found
	// prepare returns the computation with the class's input: a fixed one or a random one. Both
	// are copied to new memory, so that no cache tells them apart.
	prepare func(r *rand.Rand, class int) func()
}

const (
	fixed = iota
	random
)

// chunk is how many computations are prepared before they are timed.
const chunk = 500

// measure returns the times of samples computations, of either class in random order.
func (s *subject) measure(r *rand.Rand, samples int) (times [2][]float64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range 100 { // tables are made, and caches are warm
		s.prepare(r, random)()
	}
	for done := 0; done < samples; {
		n := min(chunk, samples-done)
		classes, work := make([]int, n), make([]func(), n)
		for i := range work {
			classes[i] = r.IntN(2)
			work[i] = s.prepare(r, classes[i])
		}
		runtime.GC() // and not while it is timed
		before := debug.SetGCPercent(-1)
		for i, f := range work {
			start := time.Now()
			f()
			times[classes[i]] = append(times[classes[i]], float64(time.Since(start).Nanoseconds()))
		}
		debug.SetGCPercent(before)
		done += n
	}
	return times
}

// repeats is how often a difference must show: on a busy machine it may be chance.
const repeats = 3

// test returns the least |t| of up to so many runs, of which none follows one below the
// threshold, and whether they found what the subject is said to do.
func (s *subject) test(r *rand.Rand, samples int) (t float64, ok bool) {
	for i := range repeats {
		now := leakage(s.measure(r, samples))
		if i == 0 || now < t {
			t = now
		}
		if t < threshold {
			break
		}
	}
	return t, (t >= threshold) == s.leaks
}
