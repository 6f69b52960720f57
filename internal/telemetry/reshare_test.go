package telemetry

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func TestReshareMetrics(t *testing.T) {
	_, r := full(t, gateway0)
	wantSamples(t, r, map[string]float64{
		"reshare_running{}": 1, "reshare_blocked{}": 1, "reshare_moved_keys{}": 7, "reshare_left_keys{}": 5,
		"reshare_in_flight_batches{}": 2, "manifest_fork{}": 0,
	})
}

// TestResize: a fleet that grew has series of its new nodes, from 0 on, and keeps those of nodes
// that it had.
func TestResize(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewMetrics(r, gateway0)
	blame := func(node int) {
		m.Report(protocol.Report{What: protocol.ReportBlamed, Kind: wire.KindSign, Code: protocol.BlameShare, Culprit: node})
	}
	blame(4) // of no manifest that is known
	m.Resize(5, 3)
	wantSamples(t, r, map[string]float64{
		"fleet_nodes{}": 5, "fleet_threshold{}": 3, "node_blamed_total{code=share_wrong,index=4}": 0,
		"retries_total{culprit=4,kind=sign}": 0, "aborts_total{code=deal_share,culprit=4}": 0,
	})
	blame(4)
	m.Resize(3, 2)
	blame(4)
	wantSamples(t, r, map[string]float64{
		"fleet_nodes{}": 3, "fleet_threshold{}": 2, "node_blamed_total{code=share_wrong,index=4}": 2,
		"node_blamed_total{code=share_wrong,index=2}": 0,
	})
	if _, there := read(t, r)["node_blamed_total{code=share_wrong,index=5}"]; there {
		t.Error("a node that the fleet never had has a series")
	}
}
