package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Reloads tells which of the files that a program follows are refused, so that others
// are in force than those on its disk. each calls its argument for every thing.
func (m *Metrics) Reloads(each func(func(name string, refused bool))) {
	refused := desc("frostfleet_reload_refused",
		"1 while changed files are refused and those from before are in force, by what they are; /readyz says why.", "what")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		each(func(name string, is bool) {
			out <- prometheus.MustNewConstMetric(refused, prometheus.GaugeValue, boolGauge(is), name)
		})
	}))
}
