package telemetry

import "testing"

// TestPresenceMetrics: what a gateway knows of a node, and no value where it knows
// nothing.
func TestPresenceMetrics(t *testing.T) {
	_, r := full(t, gateway0)
	wantSamples(t, r, map[string]float64{
		"node_present{epoch=1,index=0}": 1, "node_present{epoch=1,index=1}": 0, "node_present{epoch=2,index=0}": 1,
		"node_other_build{epoch=1,index=0}": 1, "node_in_flight{epoch=1,index=0}": 2, "node_backlog{epoch=1,index=0}": 3,
		"node_other_manifest{epoch=1,index=0}": 0, "node_other_manifest{epoch=1,index=1}": 1,
		"node_twins_total{epoch=1,index=0}": 0, "node_twins_total{epoch=1,index=1}": 4, "gateways_present{}": 1,
	})
	if _, there := read(t, r)["node_heartbeat_age_seconds{epoch=1,index=1}"]; there {
		t.Error("a node that was never heard has an age")
	}
}

// TestDemandMetrics: what waits at a gateway, and who may not ask for more.
func TestDemandMetrics(t *testing.T) {
	_, r := full(t, gateway0)
	wantSamples(t, r, map[string]float64{
		"queue_jobs{}": 5, "queue_wait_seconds{}": 60, "retry_budget{}": 0.5, "bus_clients_at_quota{}": 2,
	})
}
