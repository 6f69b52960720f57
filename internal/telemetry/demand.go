package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// Demand tells what a gateway is asked for beyond what the fleet does at once.
func (m *Metrics) Demand(read func() protocol.Demand) {
	jobs := desc("frostfleet_queue_jobs", "Sign jobs that wait for their turn at this gateway.")
	wait := desc("frostfleet_queue_wait_seconds", "How long the sign job waits that has waited longest for its turn.")
	retries := desc("frostfleet_retry_budget",
		"Attempts that may be opened now on top of others which may only be slow.")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		d := read()
		for name, value := range map[*prometheus.Desc]float64{
			jobs: float64(d.Queued), wait: seconds(d.Longest), retries: d.Retries,
		} {
			out <- prometheus.MustNewConstMetric(name, prometheus.GaugeValue, value)
		}
	}))
}
