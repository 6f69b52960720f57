package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/loadgen"
	"github.com/frostfleet/frostfleet/test/dashboards"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

const (
	latencyPanel = "Small sign jobs"
	smallJobs    = `{fleet="` + fleettest.Name + `", kind="sign", load="interactive"}`

	countedJobs = 40

	windows    = 3  // one that agrees is enough: a disturbance is no bias
	windowTime = 15 // seconds
	benchRate  = 40 // jobs a second
	tolerance  = .1
)

// testLatencyPanel has a user ask for some jobs: the panel has them all, and no
// other. How long they took is for BenchmarkLatencyPanel to compare.
func testLatencyPanel(t *testing.T, s *Stand) {
	quiet(t, s)
	before, start := counted(t, s), time.Now()
	user := benchSign(t, s, "--count", strconv.Itoa(countedJobs))
	if user.Done != countedJobs {
		t.Fatalf("of %d jobs %d were done", countedJobs, user.Done)
	}
	eventually(t, "every job is counted", func() error {
		if n := counted(t, s) - before; n < countedJobs {
			return fmt.Errorf("%g of %d", n, countedJobs)
		}
		return nil
	})
	scraped(t, s)
	if n := counted(t, s) - before; n != countedJobs {
		t.Errorf("%g jobs are counted, want %d", n, countedJobs)
	}
	p50, p99 := panelLatency(t, s, time.Since(start)+2*s.Prometheus.Interval)
	if p50 > p99 {
		t.Errorf("the panel says p50 %.2f ms and p99 %.2f ms", p50, p99)
	}
}

// BenchmarkLatencyPanel holds what the panel shows of some seconds against what a
// user measured in them: `frostctl bench`. The panel knows a job from its storing
// to its result's, the user also the way there and back and their own checks,
// about a millisecond together. Beside what KMS takes that is little; in a fleet
// with keys in software, of 4 ms, the user has to add it. A panel knows no more of
// a job than the bucket of the histogram that it fell into.
func BenchmarkLatencyPanel(b *testing.B) {
	for b.Loop() {
		s := Start(b, Options{Configs: configs, Faster: faster})
		if !slices.ContainsFunc(make([]struct{}, windows), func(struct{}) bool { return compareLatency(b, s) }) {
			b.Errorf("panel and user differ in each of %d windows by more than %g %% and a bucket of the histogram",
				windows, tolerance*100)
		}
	}
}

// compareLatency compares panel and user in one window.
func compareLatency(b *testing.B, s *Stand) (agree bool) {
	b.Helper()
	quiet(b, s)
	start := time.Now()
	user := benchSign(b, s, "--rate", strconv.Itoa(benchRate), "--duration", fmt.Sprintf("%ds", windowTime))
	if user.Done != user.Started || user.Started < benchRate*windowTime {
		b.Fatalf("of %d jobs %d were done", user.Started, user.Done)
	}
	scraped(b, s)
	p50, p99 := panelLatency(b, s, time.Since(start)+2*s.Prometheus.Interval)
	b.ReportMetric(p50, "panel-p50-ms")
	b.ReportMetric(p99, "panel-p99-ms")
	b.ReportMetric(user.Latency.P50, "user-p50-ms")
	b.ReportMetric(user.Latency.P99, "user-p99-ms")
	b.Logf("panel: p50 %.2f ms, p99 %.2f ms; user: p50 %.2f ms, p99 %.2f ms",
		p50, p99, user.Latency.P50, user.Latency.P99)
	bounds := buckets(b, s)
	return near(p50, user.Latency.P50, bounds) && near(p99, user.Latency.P99, bounds)
}

// near: the panel's figure is the user's within the tolerance, or within the
// bucket that the panel took it from.
func near(panel, user float64, bounds []float64) bool {
	at, _ := slices.BinarySearch(bounds, panel)
	width := math.Inf(1)
	if at > 0 && at < len(bounds) {
		width = bounds[at] - bounds[at-1]
	}
	return math.Abs(panel-user) <= max(tolerance*user, width)
}

// TestNear: a panel that is wrong is not let through by its buckets.
func TestNear(t *testing.T) {
	bounds := []float64{0, 10, 50, 65, 100, 150}
	for _, test := range []struct {
		panel, user float64
		want        bool
	}{
		{55, 56, true}, {55, 60.5, true}, {55, 69, true}, {55, 71, false}, // 15 wide
		{8, 8.7, true}, {8, 19, false},
		{133, 118, true}, // 50 wide
		{133, 82, false},
		{1000, 940, true}, {160, 400, true}, // beyond the last bound nothing is known
	} {
		if got := near(test.panel, test.user, bounds); got != test.want {
			t.Errorf("panel %g, user %g: %t", test.panel, test.user, got)
		}
	}
}

// quiet ends the load, and waits until it is no news for Prometheus.
func quiet(t testing.TB, s *Stand) {
	t.Helper()
	s.Pause()
	t.Cleanup(s.Resume)
	eventually(t, "no job is at work", func() error {
		jobs, err := s.js.Stream(t.Context(), streamName("JOBS"))
		if err == nil && jobs.CachedInfo().State.Msgs > 0 {
			err = fmt.Errorf("%d are", jobs.CachedInfo().State.Msgs)
		}
		return err
	})
	scraped(t, s)
	scraped(t, s) // rates have two values to begin with
}

// scraped waits until Prometheus has seen every program as it is now.
func scraped(t testing.TB, s *Stand) {
	t.Helper()
	now := float64(time.Now().UnixMilli()) / 1000
	eventually(t, "every program is scraped again", func() error {
		late, err := s.Prometheus.Query(t.Context(), fmt.Sprintf("count(timestamp(up) <= %.3f)", now))
		if err == nil && len(late) > 0 {
			err = fmt.Errorf("%g programs are not yet", late[0].Value)
		}
		return err
	})
}

// counted is how many small sign jobs Prometheus knows.
func counted(t testing.TB, s *Stand) float64 {
	t.Helper()
	found, err := s.Prometheus.Query(t.Context(), "sum(frostfleet_job_seconds_count"+smallJobs+")")
	if err != nil || len(found) != 1 {
		t.Fatalf("%d values, %v", len(found), err)
	}
	return found[0].Value
}

// buckets are the bounds of the histogram, in milliseconds, from 0.
func buckets(t testing.TB, s *Stand) []float64 {
	t.Helper()
	found, err := s.Prometheus.Query(t.Context(), "sum by (le) (frostfleet_job_seconds_bucket"+smallJobs+")")
	if err != nil {
		t.Fatal(err)
	}
	bounds := []float64{0}
	for _, v := range found {
		bound, err := strconv.ParseFloat(v.Labels["le"], 64)
		if err != nil {
			t.Fatal(err)
		}
		if !math.IsInf(bound, 1) {
			bounds = append(bounds, bound*1000)
		}
	}
	slices.Sort(bounds)
	return bounds
}

// benchSign has the fleet sign.
func benchSign(t testing.TB, s *Stand, load ...string) loadgen.Report {
	t.Helper()
	bin, err := fleettest.Build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var said strings.Builder
	args := []string{"bench", "sign", "--chain", "bitcoin", "--json", "--config", filepath.Join(s.Dir, "client.toml")}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "frostctl"), append(args, load...)...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("frostctl bench: %v: %s", err, said.String())
	}
	var report struct{ Loads []loadgen.Report }
	if err := json.Unmarshal(out, &report); err != nil || len(report.Loads) != 1 {
		t.Fatalf("frostctl bench: %v: %s", err, out)
	}
	return report.Loads[0]
}

// panelLatency is what the panel shows of the last time, in milliseconds.
func panelLatency(t testing.TB, s *Stand, last time.Duration) (p50, p99 float64) {
	t.Helper()
	pages, err := dashboards.Load(panels)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		for _, q := range page.Queries(dashboards.Values{Fleet: fleettest.Name, Rate: last, Range: last}) {
			if q.Panel != latencyPanel {
				continue
			}
			found, err := s.Prometheus.Query(t.Context(), q.Expr)
			if err != nil || len(found) != 1 {
				t.Fatalf("%s: %d values, %v", q.Expr, len(found), err)
			}
			switch strings.Fields(q.Legend)[0] {
			case "p50":
				p50 = found[0].Value * 1000
			case "p99":
				p99 = found[0].Value * 1000
			}
		}
	}
	if p50 == 0 || p99 == 0 {
		t.Fatalf("no panel %q with p50 and p99", latencyPanel)
	}
	return p50, p99
}
