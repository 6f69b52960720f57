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
// the fleet does, fires its alert in a real Prometheus, and no other's; and when it is
// over, the alert is. The gateway's metrics are its own, and what moves them is what its
// machine reports: a fleet of honest nodes has no other way to prove one faulty.
func TestSignals(t *testing.T) {
	metrics, demand, atQuota, targets := exporter(t)
	p := StartPrometheus(t, PrometheusOptions{Configs: configs, Targets: targets, Faster: faster})
	firing := func() (found []string) {
		alerts, err := p.Firing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names(alerts) {
			if name == "FrostfleetNodeBlamed" || name == "FrostfleetOverload" || name == "FrostfleetJobsWaiting" {
				found = append(found, name)
			}
		}
		return found
	}
	await := func(what string, want ...string) {
		t.Helper()
		eventually(t, what, func() error {
			if got := firing(); !slices.Equal(got, want) {
				return fmt.Errorf("firing: %q, want %q", got, want)
			}
			return nil
		})
	}
	eventually(t, "the gateway is scraped", func() error {
		up, err := p.Query(t.Context(), `frostfleet_node_blamed_total == 0 and on () fleet:frostfleet_gateways_healthy:count > 0`)
		if err == nil && len(up) == 0 {
			err = fmt.Errorf("no series yet")
		}
		return err
	})
	await("nothing fires")

	metrics.Report(protocol.Report{What: protocol.ReportBlamed, Kind: wire.KindSign, Code: protocol.BlameShare, Culprit: 2})
	await("a node is blamed", "FrostfleetNodeBlamed")
	await("that is over")

	for name, trouble := range map[string]func(){
		"a long queue": func() { demand.Store(&protocol.Demand{Queued: 900, Longest: 3 * time.Minute, Retries: 10}) },
		"no retries":   func() { demand.Store(&protocol.Demand{}) },
		"busy clients": func() { atQuota.Store(1) },
	} {
		trouble()
		await(name, "FrostfleetOverload")
		demand.Store(&protocol.Demand{Retries: 10})
		atQuota.Store(0)
		await(name + " is over")
	}
	metrics.Report(protocol.Report{What: protocol.ReportUnserved, Kind: wire.KindSign, Culprit: -1})
	await("a job that nobody began", "FrostfleetOverload")
}

// exporter serves the metrics of a gateway of a fleet of three, whose demand is what the
// caller says, and returns the file that tells Prometheus where.
func exporter(t *testing.T) (*telemetry.Metrics, *atomic.Pointer[protocol.Demand], *atomic.Int64, string) {
	t.Helper()
	registry := telemetry.NewRegistry()
	metrics := telemetry.NewMetrics(registry, telemetry.Identity{
		Role: telemetry.RoleGateway, Name: "gateway0", Fleet: "main", Nodes: 3, Threshold: 2,
	})
	demand, atQuota := new(atomic.Pointer[protocol.Demand]), new(atomic.Int64)
	demand.Store(&protocol.Demand{Retries: 10})
	metrics.Demand(func() protocol.Demand { return *demand.Load() })
	metrics.Bus(func() (buswatch.Sample, bool) {
		jobs := buswatch.StreamState{Stream: bus.Jobs, Replicas: 1, Current: 1, AtQuota: int(atQuota.Load())}
		return buswatch.Sample{At: time.Now(), Streams: []buswatch.StreamState{jobs}}, true
	}, func() error { return nil })
	healthy := func() error { return nil }
	server, err := telemetry.Listen("127.0.0.1", 0, registry,
		[]telemetry.Check{{Name: "bus", Fail: healthy}, {Name: "gateway", Fail: healthy}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Shutdown(context.WithoutCancel(t.Context())) })
	text, err := json.Marshal([]map[string]any{{
		"targets": []string{server.Addr()},
		"labels":  map[string]string{"fleet": "main", "node": "gateway0", "role": "gateway"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), targetsFile)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return metrics, demand, atQuota, file
}
