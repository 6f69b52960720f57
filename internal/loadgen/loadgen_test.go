package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// run runs a load to its end, in the test's own time.
func run(t *testing.T, l Load) *Report {
	t.Helper()
	r, err := Run(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if sum := r.Done + r.Failed + r.Busy + r.Broken; sum != r.Started {
		t.Errorf("%d started, %d accounted for", r.Started, sum)
	}
	return r
}

// takes is an operation that takes this long and makes one item.
func takes(d time.Duration) func(context.Context, int) (int, error) {
	return func(context.Context, int) (int, error) {
		time.Sleep(d)
		return 1, nil
	}
}

// near compares a latency in milliseconds, with the histogram's precision.
func near(got, want float64) bool { return math.Abs(got-want) <= 0.002*want }

func TestOpenLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under, most atomic.Int64
		r := run(t, Load{Rate: 100, Duration: 3 * time.Second, Do: func(ctx context.Context, i int) (int, error) {
			most.Store(max(most.Load(), under.Add(1)))
			defer under.Add(-1)
			return takes(205*time.Millisecond)(ctx, i)
		}})
		if r.Started != 300 || r.Done != 300 || r.Items != 300 || r.Unstarted != 0 || r.Workers != defaultOpenWorkers {
			t.Errorf("%+v", r)
		}
		if most.Load() != 21 { // one each 10 ms, 205 ms long
			t.Errorf("%d at a time: the next is not to wait for the last", most.Load())
		}
		if !near(r.Latency.P50, 205) || !near(r.Latency.Max, 205) {
			t.Errorf("latency %+v", r.Latency)
		}
		if r.ElapsedSeconds != 3.195 { // the last is due at 2.99 s
			t.Errorf("took %g s", r.ElapsedSeconds)
		}
	})
}

// TestNoCoordinatedOmission: while one operation stalls, those that were due
// behind it wait, and their latencies say so.
func TestNoCoordinatedOmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Load{Rate: 100, Duration: 4 * time.Second, Workers: 1, Do: func(ctx context.Context, i int) (int, error) {
			if i == 100 {
				return takes(time.Second)(ctx, i)
			}
			return takes(time.Millisecond)(ctx, i)
		}})
		if r.Done != 400 {
			t.Fatalf("%+v", r)
		}
		// 1 s behind, 9 ms caught up with each: about 110 operations were late, a quarter of all.
		if r.Latency.P50 > 2 || r.Latency.P90 < 500 || !near(r.Latency.Max, 1000) {
			t.Errorf("latency %+v", r.Latency)
		}
	})
}

// TestUnstarted: what a flooded load could not start is counted.
func TestUnstarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Load{Rate: 100, Duration: time.Second, Workers: 2, Do: takes(130 * time.Millisecond)})
		// Two each 130 ms, from 0 and 10 ms on, before 1 s is over.
		if r.Started != 16 || r.Unstarted != 84 {
			t.Errorf("%d started, %d unstarted", r.Started, r.Unstarted)
		}
		var text strings.Builder
		if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "84 operations were due and never started") {
			t.Errorf("%v, %s", err, &text)
		}
	})
}

func TestClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Load{Duration: time.Second, Workers: 3, Do: takes(130 * time.Millisecond)})
		if r.Done != 24 || !near(r.Latency.Max, 130) || r.ElapsedSeconds != 1.04 {
			t.Errorf("%+v", r)
		}
		if r := run(t, Load{Count: 5, Do: takes(time.Second)}); r.Done != 5 || r.ElapsedSeconds != 5 || r.Workers != 1 || r.ItemsPerSecond != 1 {
			t.Errorf("%+v", r)
		}
		if r := run(t, Load{Count: 5, Duration: time.Hour, Do: takes(time.Second)}); r.Done != 5 {
			t.Errorf("%+v", r)
		}
	})
}

// TestCount: with both bounds, the first that is reached counts.
func TestCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			count    int
			duration time.Duration
			want     int
		}{{7, 0, 7}, {7, time.Hour, 7}, {1000, time.Second, 10}, {0, 950 * time.Millisecond, 10}, {0, 901 * time.Millisecond, 10}, {0, 900 * time.Millisecond, 9}} {
			if r := run(t, Load{Rate: 10, Count: tt.count, Duration: tt.duration, Do: takes(time.Millisecond)}); r.Done != tt.want {
				t.Errorf("count %d, duration %s: %d done, want %d", tt.count, tt.duration, r.Done, tt.want)
			}
		}
	})
}

// TestOutcomes: busy is no failure, failures of one cause are counted together
// whatever ids they name, and their number of texts is bounded.
func TestOutcomes(t *testing.T) {
	busy := errors.New("busy")
	r := run(t, Load{
		Count: 40, Busy: func(err error) bool { return errors.Is(err, busy) },
		Do: func(_ context.Context, i int) (int, error) {
			switch {
			case i < 10:
				return 2, nil
			case i < 15:
				return 0, fmt.Errorf("come again: %w", busy)
			case i < 30:
				return 1, fmt.Errorf("job 0198c0de-7a10-7cc3-98c4-dc0c0c0%05d: key %032x.7 lost\nafter %dms", i, i, i)
			}
			return 0, fmt.Errorf("cause %c", 'a'+i-30)
		},
	})
	if r.Done != 10 || r.Busy != 5 || r.Failed != 25 || r.Items != 35 || r.Histogram.TotalCount() != 10 {
		t.Errorf("%+v", r)
	}
	want := []Failure{{"job …: key … lost after …", 15}, {otherReasons, 6}}
	if len(r.Failures) != 6 || r.Failures[0] != want[0] || r.Failures[1] != want[1] {
		t.Errorf("%+v", r.Failures)
	}
	if r.FirstError == nil || !strings.Contains(r.FirstError.Error(), "job 0198c0de-7a10-7cc3-98c4-dc0c0c000015") {
		t.Errorf("first error %v", r.FirstError)
	}
}

// TestInterrupted: the context ends the load, and what it was doing is neither
// done nor failed.
func TestInterrupted(t *testing.T) {
	for name, l := range map[string]Load{
		"open":   {Rate: 10, Duration: time.Hour},
		"closed": {Duration: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 1050*time.Millisecond)
				defer cancel()
				l.Do = func(ctx context.Context, i int) (int, error) {
					select {
					case <-time.After(100 * time.Millisecond):
						return 1, nil
					case <-ctx.Done():
						return 0, fmt.Errorf("waiting: %w", ctx.Err())
					}
				}
				r, err := Run(ctx, l)
				if !errors.Is(err, context.DeadlineExceeded) || r == nil || r.Done != 10 || r.Broken != 1 || r.Failed != 0 ||
					r.Unstarted != 0 ||
					!r.Interrupted {
					t.Errorf("%v, %+v", err, r)
				}
			})
		})
	}
}

// TestDoneDespiteContext: a load that was complete when its context ended is
// no error.
func TestDoneDespiteContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Run(ctx, Load{Count: 1, Do: func(context.Context, int) (int, error) { cancel(); return 1, nil }})
	if err != nil || r.Done != 1 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []Snapshot
		run(t, Load{Rate: 10, Duration: time.Second, Do: takes(time.Millisecond), Progress: func(s Snapshot) { heard = append(heard, s) }})
		if len(heard) != 5 { // 0.2 to 0.8 s, and the end
			t.Fatalf("heard %+v", heard)
		}
		for i, s := range heard[:4] {
			if s.Elapsed != time.Duration(i+1)*progressEvery || s.Started < 2*(i+1) || s.Done > s.Started {
				t.Errorf("after %s: %+v", s.Elapsed, s)
			}
		}
		if last := heard[4]; last.Done != 10 || last.Items != 10 {
			t.Errorf("at the end: %+v", last)
		}
	})
}

// TestCheck: everything that is wrong is said at once.
func TestCheck(t *testing.T) {
	do := takes(0)
	for says, l := range map[string]Load{
		"nothing to do":   {Count: 1},
		"rate -1":         {Count: 1, Rate: -1, Do: do},
		"rate NaN":        {Count: 1, Rate: math.NaN(), Do: do},
		"rate +Inf":       {Count: 1, Rate: math.Inf(1), Do: do},
		"duration -1s":    {Duration: -time.Second, Do: do},
		"count -1":        {Count: -1, Do: do},
		"workers -1":      {Count: 1, Workers: -1, Do: do},
		"would never end": {Do: do},
		"set Do\nload: it would never end: set Duration or Count": {},
	} {
		if r, err := Run(t.Context(), l); err == nil || r != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, %+v", says, err, r)
		}
	}
}

// TestNeverEarly: operations start when they are due, and the log tells by how
// much later.
func TestNeverEarly(t *testing.T) {
	var late []time.Duration
	start := time.Now()
	for i := range 40 {
		due := start.Add(time.Duration(i) * 7300 * time.Microsecond)
		if !sleepUntil(t.Context(), due) {
			t.Fatal("it gave up")
		}
		if d := time.Since(due); d < 0 {
			t.Fatalf("%s early", -d)
		} else {
			late = append(late, d)
		}
	}
	slices.Sort(late)
	t.Logf("late by %s, at most %s", late[len(late)/2], late[len(late)-1])
}
