package telemetry

import (
	"os"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// collector is what is read at each scrape: one look gives all its metrics. It
// describes none of them, since which there are is known only then.
type collector func(chan<- prometheus.Metric)

// Describe implements prometheus.Collector.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) { c(out) }

// desc of a metric that a collector gives.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Disk tells of the file system of a directory, under a label that says what is
// kept there. If it can't be read there is no series.
func (m *Metrics) Disk(path, dir string) {
	free := desc("frostfleet_disk_free_bytes",
		"Free space of the file system of a directory, as far as this program may use it.", "path")
	size := desc("frostfleet_disk_size_bytes", "Size of the file system of a directory.", "path")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		var fs syscall.Statfs_t
		if syscall.Statfs(dir, &fs) != nil {
			return
		}
		block := float64(fs.Bsize)
		out <- prometheus.MustNewConstMetric(free, prometheus.GaugeValue, float64(fs.Bavail)*block, path)
		out <- prometheus.MustNewConstMetric(size, prometheus.GaugeValue, float64(fs.Blocks)*block, path)
	}))
}

// Keystore tells of the size of a node's keystore. While there is no such file
// there is no series.
func (m *Metrics) Keystore(file string) {
	size := desc("frostfleet_keystore_bytes", "Size of the keystore's file.")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		if info, err := os.Stat(file); err == nil {
			out <- prometheus.MustNewConstMetric(size, prometheus.GaugeValue, float64(info.Size()))
		}
	}))
}
