package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/buswatch"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestSignals: what a gateway tells of a node that is proven faulty, and of more jobs than
// the fleet does, fires its alert in a real Prometheus, for its fleet alone; and when it is
// over, the alert is. The gateways' metrics are their own, and what moves them is what their
// machine reports: a fleet of honest nodes has no other way to prove one faulty.
func TestSignals(t *testing.T) {
	fleets := map[string]struct {
		trouble func(*told)
		alert   string
	}{
		"well": {func(*told) {}, ""},
		"blamed": {func(g *told) {
			g.Report(protocol.Report{What: protocol.ReportBlamed, Kind: wire.KindSign, Code: protocol.BlameShare, Culprit: 2})
		}, "FrostfleetNodeBlamed"},
		"late": {func(g *told) { // what nobody can prove
			g.Report(protocol.Report{What: protocol.ReportRetry, Kind: wire.KindSign, Culprit: 2})
		}, ""},
		"queue": {func(g *told) {
			g.demand.Store(&protocol.Demand{Queued: 900, Longest: 3 * time.Minute, Retries: 10})
		}, "FrostfleetOverload"},
		"retries": {func(g *told) { g.demand.Store(&protocol.Demand{}) }, "FrostfleetOverload"},
		"busy":    {func(g *told) { g.atQuota.Store(1) }, "FrostfleetOverload"},
		"unserved": {func(g *told) {
			g.Report(protocol.Report{What: protocol.ReportUnserved, Kind: wire.KindSign, Culprit: -1})
		}, "FrostfleetOverload"},
	}
	gateways, targets := map[string]*told{}, []target(nil)
	for fleet := range fleets {
		g, at := tell(t, fleet)
		gateways[fleet], targets = g, append(targets, at)
	}
	p := StartPrometheus(t, PrometheusOptions{Configs: configs, Targets: write(t, targets), Faster: faster})
	eventually(t, "every gateway is scraped", func() error {
		up, err := p.Query(t.Context(), `frostfleet_node_blamed_total{index="2", code="share_wrong"} == 0`)
		if err == nil && len(up) != len(fleets) {
			err = fmt.Errorf("%d of %d", len(up), len(fleets))
		}
		return err
	})
	// No worker is a target here; and on a busy machine scrapes that follow each other so
	// quickly may be late, as if no gateway answered.
	others := []string{"FrostfleetUnwatched", "FrostfleetNoGateway"}
	seen := map[string][]string{}
	look := func() {
		alerts, err := p.Firing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range alerts {
			fleet, name := a.Labels["fleet"], a.Labels["alertname"]
			if !slices.Contains(others, name) && !slices.Contains(seen[fleet], name) {
				seen[fleet] = append(seen[fleet], name)
			}
		}
	}
	for fleet, of := range fleets {
		of.trouble(gateways[fleet])
	}
	eventually(t, "every trouble fires its alert", func() error {
		look()
		for fleet, of := range fleets {
			if of.alert != "" && !slices.Contains(seen[fleet], of.alert) {
				return fmt.Errorf("fleet %s has fired %q, and not %s", fleet, seen[fleet], of.alert)
			}
		}
		return nil
	})
	for _, g := range gateways {
		g.well()
	}
	eventually(t, "all of it is over", func() error {
		look()
		left, err := p.Query(t.Context(), `ALERTS{alertname=~"Frostfleet(NodeBlamed|Overload)"}`)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("still: %v", left)
		}
		return err
	})
	for fleet, of := range fleets {
		want := []string{of.alert}
		if of.alert == "" {
			want = nil
		}
		if !slices.Equal(seen[fleet], want) {
			t.Errorf("fleet %s fired %q, want %q", fleet, seen[fleet], want)
		}
	}
}

// told is a gateway's metrics, and what it tells there.
type told struct {
	*telemetry.Metrics
	demand  atomic.Pointer[protocol.Demand]
	atQuota atomic.Int64
}

func (g *told) well() {
	g.demand.Store(&protocol.Demand{Retries: 10})
	g.atQuota.Store(0)
}

// target is one of a file for file_sd_configs.
type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// tell serves the metrics of a gateway of a fleet of three.
func tell(t *testing.T, fleet string) (*told, target) {
	t.Helper()
	registry := telemetry.NewRegistry()
	g := &told{Metrics: telemetry.NewMetrics(registry, telemetry.Identity{
		Role: telemetry.RoleGateway, Name: "gateway0", Fleet: fleet, Nodes: 3, Threshold: 2,
	})}
	g.well()
	g.Demand(func() protocol.Demand { return *g.demand.Load() })
	g.Bus(func() (buswatch.Sample, bool) {
		jobs := buswatch.StreamState{Stream: bus.Jobs, Replicas: 1, Current: 1, AtQuota: int(g.atQuota.Load())}
		return buswatch.Sample{At: time.Now(), Streams: []buswatch.StreamState{jobs}}, true
	}, func() error { return nil })
	healthy := func() error { return nil }
	server, err := telemetry.Listen("127.0.0.1", 0, registry,
		[]telemetry.Check{{Name: "bus", Fail: healthy}, {Name: "gateway", Fail: healthy}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Shutdown(context.WithoutCancel(t.Context())) })
	return g, target{
		Targets: []string{server.Addr()},
		Labels:  map[string]string{"fleet": fleet, "node": "gateway0", "role": "gateway"},
	}
}

// write gives the file with the targets.
func write(t *testing.T, targets []target) string {
	t.Helper()
	text, err := json.Marshal(targets)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), targetsFile)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
