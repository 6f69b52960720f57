package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// abandonCodes say why attempts at moving a batch were given up.
var abandonCodes = []wire.Code{wire.CodeExpired, frost.CodeMalformed, frost.CodePoint, frost.CodeIdentity, frost.CodeShare,
	wire.CodeRestarted, wire.CodeDealReplaced, wire.CodeFalseCertificate, wire.CodeAttemptTaken, wire.CodeInternal,
	other}

// Resharing tells how far a fleet's keys have moved to the next manifest, as a gateway sees it.
func (m *Metrics) Resharing(read func() protocol.Resharing) {
	running := desc("frostfleet_reshare_running", "1 while keys are to move to the nodes of another manifest.")
	blocked := desc("frostfleet_reshare_blocked", "1 while they are, and something keeps this gateway from beginning with any.")
	moved := desc("frostfleet_reshare_moved_keys", "Keys that the nodes of the manifest have to which keys move.")
	left := desc("frostfleet_reshare_left_keys", "Keys that nodes of manifests before it have.")
	inFlight := desc("frostfleet_reshare_in_flight_batches", "Batches that this gateway moves now.")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		r := read()
		for name, value := range map[*prometheus.Desc]float64{
			running: boolGauge(r.Run), blocked: boolGauge(r.Run && r.Blocked != ""),
			moved: float64(r.Moved), left: float64(r.Left), inFlight: float64(r.InFlight),
		} {
			out <- prometheus.MustNewConstMetric(name, prometheus.GaugeValue, value)
		}
	}))
}

// Fork tells whether a program knows of two successors of one manifest.
func (m *Metrics) Fork(read func() error) {
	Gauge(m.registry, "manifest_fork", "1 while one manifest has two successors, as this program knows.",
		func() float64 { return boolGauge(read() != nil) })
}
