package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Freezes tells how many freezes a program knows to be in force, by scope.
func (m *Metrics) Freezes(read func() *wire.Frozen) {
	inForce := desc("frostfleet_freezes", "Freezes in force, as this program knows, by scope: fleet, client or key.", "scope")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		frozen := read()
		for _, scope := range wire.FreezeScopes {
			out <- prometheus.MustNewConstMetric(inForce, prometheus.GaugeValue, float64(frozen.Count(scope)), string(scope))
		}
	}))
}
