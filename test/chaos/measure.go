package chaos

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/loadgen"
	"github.com/frostfleet/frostfleet/test/chaos/history"
)

// singleRate is how many single signatures a second are asked for where a figure is
// taken: far from what a fleet can do on two cores.
const singleRate = 10

// taken is what was measured of single signatures during some time.
type taken struct {
	p50, p99 float64       // milliseconds
	gap      time.Duration // the longest time without a signature
	last     time.Time     // end of the gap
	failed   int           // acknowledged, and neither done nor expired
	done     int
}

// singles asks for single signatures for so long, waits for all of them, and measures.
func (u *user) singles(d time.Duration) taken {
	u.s.t.Helper()
	begin := time.Now()
	first := u.s.jobCount()
	waiting, cancel := context.WithTimeout(u.s.t.Context(), d+patience)
	defer cancel()
	r, err := loadgen.Run(u.s.t.Context(), loadgen.Load{
		Rate: singleRate, Duration: d, Workers: underWay,
		Busy: func(err error) bool { return errors.As(err, new(*client.BusyError)) },
		Do: func(ctx context.Context, _ int) (int, error) {
			return 1, u.insist(ctx, waiting, chains[0], 1)
		},
	})
	u.s.must(err)
	out := taken{p50: r.Latency.P50, p99: r.Latency.P99, done: r.Done}
	out.gap, out.last = u.longestGap(begin, begin.Add(d))
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	var publishing []time.Duration
	for _, j := range u.s.seen.Jobs[first:] {
		if j.Client == u.name && !j.Acked.IsZero() {
			publishing = append(publishing, j.Acked.Sub(j.Asked))
		}
		if j.Client == u.name && !j.Acked.IsZero() && (j.Outcome == history.Failed || j.Outcome == history.Open) {
			out.failed++
		}
	}
	slices.Sort(publishing)
	u.s.eventLocked("%d single signatures: p50 %.0f ms (until the job is stored: %d ms), p99 %.0f ms, "+
		"the longest time without one %.1f s, %d failed", out.done, out.p50, median(publishing).Milliseconds(), out.p99,
		out.gap.Seconds(), out.failed)
	return out
}

func median(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// insist asks until a job is acknowledged, as a user does whose request was refused
// while the servers elected a leader, and waits for its end under another context.
func (u *user) insist(ctx, waiting context.Context, chain string, n int) error {
	deadline := time.Now().Add(patience)
	for {
		err := u.signWith(ctx, u.some(chain, n), waiting)
		if err == nil || time.Now().After(deadline) || !errors.Is(err, client.ErrNoStream) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// longestGap is the longest time without the end of a signature. A gap that is open at
// the end goes on until the next signature.
func (u *user) longestGap(from, to time.Time) (gap time.Duration, end time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return longestGap(u.ends, from, to)
}

func longestGap(ends []time.Time, from, to time.Time) (gap time.Duration, end time.Time) {
	last := from
	for _, at := range ends {
		if at.Before(from) {
			continue
		}
		if d := at.Sub(last); d > gap {
			gap, end = d, at
		}
		if last = at; at.After(to) {
			break
		}
	}
	if d := to.Sub(last); d > gap {
		gap, end = d, to
	}
	return gap, end
}

// firstAfter is when the first signature ended after a time; zero: none did.
func (u *user) firstAfter(t time.Time) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, at := range u.ends {
		if at.After(t) {
			return at
		}
	}
	return time.Time{}
}

func (s *Stand) jobCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen.Jobs)
}

// ratio of two measurements; a millisecond is the least that counts.
func ratio(a, b float64) float64 { return max(a, 1) / max(b, 1) }

// items is a load of jobs of n signatures.
func (u *user) items(n int) func(context.Context, int) (int, error) {
	return func(ctx context.Context, _ int) (int, error) { return n, u.insist(ctx, ctx, chains[0], n) }
}
