package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/directory"
)

// Directory tells of a gateway's directory.
func (m *Metrics) Directory(read func() directory.Stats) {
	keys := desc("frostfleet_directory_keys", "Keys in the directory that HTTP answers come from.")
	jobs := desc("frostfleet_directory_jobs", "Jobs in the directory.")
	size := desc("frostfleet_directory_file_bytes", "Size of the directory's file.")
	waiting := desc("frostfleet_directory_waiting_messages",
		"Messages that the directory has read and not written into its file yet.")
	unindexed := desc("frostfleet_directory_unindexed_batches",
		"Batches whose addresses the directory can't look up yet.")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		s := read()
		for d, v := range map[*prometheus.Desc]float64{
			keys: float64(s.Keys), jobs: float64(s.Jobs), size: float64(s.Bytes), waiting: float64(s.Waiting),
			unindexed: float64(s.Unindexed),
		} {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
		}
	}))
}
