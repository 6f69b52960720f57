package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/dashboards"
	"github.com/frostfleet/frostfleet/internal/loadgen"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

const (
	latencyPanel = "Small sign jobs"
	windows      = 3  // one that agrees is enough: a disturbance is no bias
	windowTime   = 15 // seconds
	benchRate    = 40 // jobs a second
	tolerance    = .1
)

// testLatency holds what the panel shows of some seconds against what a user
// measured in them: `frostctl bench`. The panel knows a job from its storing to
// its result's, the user also the way there and back and their own checks, about
// a millisecond together. Beside what KMS takes that is little; in a fleet with
// keys in software, of 4 ms, the user has to add it.
func testLatency(t *testing.T, s *Stand) {
	s.Pause()
	t.Cleanup(s.Resume)
	time.Sleep(3 * time.Second) // what was under way ends
	for range windows {
		start := time.Now()
		user := benchSign(t, s)
		// One scrape has to come after the last job, and of the panel's jobs
		// there were none since the window before.
		time.Sleep(2 * s.Prometheus.Interval)
		p50, p99 := panelLatency(t, s, time.Since(start))
		t.Logf("p50: panel %.2f ms, user %.2f ms; p99: panel %.2f ms, user %.2f ms", p50, user.P50, p99, user.P99)
		if max(math.Abs(p50/user.P50-1), math.Abs(p99/user.P99-1)) <= tolerance {
			return
		}
	}
	t.Errorf("the panel and the user differ by more than %g %% in each of %d windows", tolerance*100, windows)
}

// benchSign has the fleet sign for a window.
func benchSign(t *testing.T, s *Stand) loadgen.Latency {
	t.Helper()
	bin, err := fleettest.Build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var said strings.Builder
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "frostctl"), "bench", "sign", "--chain", "bitcoin", "--json",
		"--rate", fmt.Sprint(benchRate), "--duration", fmt.Sprintf("%ds", windowTime), "--config", filepath.Join(s.Dir, "client.toml"))
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("frostctl bench: %v: %s", err, said.String())
	}
	var report struct{ Loads []loadgen.Report }
	if err := json.Unmarshal(out, &report); err != nil || len(report.Loads) != 1 {
		t.Fatalf("frostctl bench: %v: %s", err, out)
	}
	l := report.Loads[0]
	if l.Done != l.Started || l.Started < benchRate*windowTime {
		t.Fatalf("of %d jobs %d were done", l.Started, l.Done)
	}
	return l.Latency
}

// panelLatency is what the panel shows of the last time, in milliseconds.
func panelLatency(t *testing.T, s *Stand, last time.Duration) (p50, p99 float64) {
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
