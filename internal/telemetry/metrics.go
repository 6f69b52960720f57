package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// Metrics counts what workers and gateways do. Every label value is known
// when it is made, so a series that never moved reads 0 and not nothing.
type Metrics struct {
	reports  *prometheus.CounterVec
	items    *prometheus.CounterVec
	jobs     *prometheus.HistogramVec
	provider providerMetrics
	registry prometheus.Registerer
}

// buckets reach from a tenth of a millisecond to a minute.
var buckets = []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// NewRegistry returns a registry with the runtime's and the process's metrics.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// NewMetrics registers the metrics. Those of a key provider come with
// ForProvider, on the nodes that have one.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "frostfleet_events_total", Help: "What this program did or saw in batches and signing sessions, by event."}, []string{"event"}),
		items: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "frostfleet_items_total", Help: "Keys and signature shares behind the events, by event and suite."}, []string{"event", "suite"}),
		jobs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "frostfleet_job_seconds", Help: "Jobs from delivery to their stored end, by kind and code; done is success.", Buckets: buckets}, []string{"kind", "code"}),
		provider: newProviderMetrics(),
		registry: r,
	}
	r.MustRegister(m.reports, m.items, m.jobs)
	m.create()
	return m
}

func (m *Metrics) create() {
	for _, event := range protocol.ReportKinds {
		m.reports.WithLabelValues(string(event))
	}
	for _, event := range []protocol.ReportKind{protocol.ReportDealt, protocol.ReportComplete, protocol.ReportRecovered, protocol.ReportCommitted, protocol.ReportShared} {
		for _, suite := range []string{"secp256k1-tr", "ed25519"} {
			m.items.WithLabelValues(string(event), suite)
		}
	}
	for _, kind := range []protocol.Kind{protocol.KindKeygen, protocol.KindSign} {
		m.jobs.WithLabelValues(string(kind), "done")
		for _, code := range protocol.JobCodes {
			m.jobs.WithLabelValues(string(kind), string(code))
		}
	}
}

// Report implements worker.Observer and gateway.Observer.
func (m *Metrics) Report(r protocol.Report) {
	m.reports.WithLabelValues(string(r.What)).Inc()
	if r.Count > 0 {
		m.items.WithLabelValues(string(r.What), r.Suite.String()).Add(float64(r.Count))
	}
}

// JobDone implements gateway.Observer.
func (m *Metrics) JobDone(kind protocol.Kind, code protocol.Code, took time.Duration) {
	if !kind.Valid() {
		return
	}
	if code == "" {
		code = "done"
	}
	m.jobs.WithLabelValues(string(kind), string(code)).Observe(took.Seconds())
}

// Gauge registers a value that is read when asked for.
func Gauge(r prometheus.Registerer, name, help string, read func() float64) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "frostfleet_" + name, Help: help}, read))
}
