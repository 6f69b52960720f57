package kmstest

import (
	"testing"
	"time"
)

// Half of the calls take longer than the median, and one in 44 longer than two
// deviations; without a spread, all take the same.
func TestLatency(t *testing.T) {
	const calls = 10_000
	f := Fault{Latency: time.Second, Spread: .5}
	var longer, long int
	for range calls {
		d := f.latency()
		if d > time.Second {
			longer++
		}
		if d > 2718*time.Millisecond { // e to the power of 2 * 0.5
			long++
		}
	}
	if longer < calls*45/100 || longer > calls*55/100 || long < calls/70 || long > calls/30 {
		t.Errorf("of %d calls %d took longer than the median and %d than e times that", calls, longer, long)
	}
	if d := (Fault{Latency: time.Second}).latency(); d != time.Second {
		t.Errorf("%s, want a second", d)
	}
}
