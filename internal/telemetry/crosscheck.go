package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/crosscheck"
	"github.com/frostfleet/frostfleet/internal/frost"
)

// CrossCheck tells what another implementation says of what a program makes for ed25519.
func (m *Metrics) CrossCheck(c *crosscheck.Checker) {
	total := desc("frostfleet_crosscheck_total",
		"Signing sessions of a sample that another implementation looked at, by what it says.", "suite", "result")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		for result, count := range c.Counts() {
			out <- prometheus.MustNewConstMetric(total, prometheus.CounterValue, float64(count),
				frost.Ed25519.String(), string(result))
		}
	}))
}
