package telemetry

import (
	"runtime"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Identity is who a program is.
type Identity struct {
	Role      string // RoleWorker or RoleGateway
	Name      string // of this program
	Fleet     string
	Manifest  string // its hash in hexadecimal
	Version   string
	Nodes     int // n and t of the manifest, until Resize
	Threshold int
}

// The roles.
const (
	RoleWorker  = "worker"
	RoleGateway = "gateway"
)

// Metrics counts what a worker or a gateway does. Wherever the values of a label
// are few they are created at the start, so that a series that never moved reads
// 0 and the first event is an increase. Where a value is none of those that are
// known it counts as other: nothing that comes in makes labels.
type Metrics struct {
	of       Identity
	size     fleetSize
	registry prometheus.Registerer
	work     workMetrics
	jobs     jobMetrics
	bus      busMetrics
	provider providerMetrics
}

// NewRegistry returns a registry with the runtime's and the process's metrics.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// NewMetrics registers the metrics of a role. Those that tell of a part of the
// program come with the part: ForProvider, Bus, Disk, Nonces, Gauge, Listen.
func NewMetrics(r prometheus.Registerer, of Identity) *Metrics {
	both, worker, gateway := factoryOf(r), factoryOf(nil), factoryOf(nil)
	if of.Role == RoleGateway {
		gateway = both
	} else {
		worker = both
	}
	info := both.gauges("frostfleet_info", "1, with who this program is as labels.",
		"program_role", "name", "version", "fleet_name", "manifest", "goversion")
	info.WithLabelValues(of.Role, of.Name, of.Version, of.Fleet, of.Manifest, runtime.Version()).Set(1)
	m := &Metrics{
		of: of, registry: r,
		work:     newWorkMetrics(both, worker),
		jobs:     newJobMetrics(gateway),
		bus:      newBusMetrics(both, gateway, of),
		provider: newProviderMetrics(nil, keyprovider.Backend{}, keyprovider.Prices{}),
	}
	m.Resize(of.Nodes, of.Threshold)
	Gauge(r, "fleet_nodes", "Nodes of the fleet, by the manifest.", m.size.nodes)
	Gauge(r, "fleet_threshold", "Nodes that it takes to sign, by the manifest.", m.size.threshold)
	return m
}

// Gauge registers a value that is read when asked for; name goes without its
// prefix, frostfleet_.
func Gauge(r prometheus.Registerer, name, help string, read func() float64) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "frostfleet_" + name, Help: help}, read))
}

// factory makes metrics and registers them. That of no registry makes those
// which the other role has: they count, and nobody reads them.
type factory struct{ promauto.Factory }

func factoryOf(r prometheus.Registerer) factory { return factory{promauto.With(r)} }

func (f factory) counters(name, help string, labels ...label) *prometheus.CounterVec {
	vec := f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, names(labels))
	each(labels, func(values ...string) { vec.WithLabelValues(values...) })
	return vec
}

func (f factory) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return f.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

func (f factory) histograms(name, help string, classic []float64, labels ...label) *prometheus.HistogramVec {
	vec := f.NewHistogramVec(histogram(name, help, classic), names(labels))
	each(labels, func(values ...string) { vec.WithLabelValues(values...) })
	return vec
}

// label is one of a metric and the values that it has from the start.
type label struct {
	name   string
	values []string
}

func oneOf[T ~string](name string, values ...T) label {
	l := label{name: name}
	for _, v := range values {
		l.values = append(l.values, string(v))
	}
	return l
}

func names(labels []label) (all []string) {
	for _, l := range labels {
		all = append(all, l.name)
	}
	return all
}

// each calls create for every combination of the labels' values.
func each(labels []label, create func(values ...string), chosen ...string) {
	if len(chosen) == len(labels) {
		create(chosen...)
		return
	}
	for _, value := range labels[len(chosen)].values {
		each(labels, create, append(chosen, value)...)
	}
}

// boolGauge is the value of a gauge that answers a question.
func boolGauge(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// other is the label of what is not known.
const other = "other"

// knownOr bounds a label, whatever comes in.
func knownOr[T ~string](value T, values []T) string {
	if slices.Contains(values, value) {
		return string(value)
	}
	return other
}
