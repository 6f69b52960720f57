package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// busMetrics tell of a connection to NATS.
type busMetrics struct {
	publishes, deliveries, redeliveries *prometheus.CounterVec
	took                                *prometheus.HistogramVec
	reconnects                          prometheus.Counter
}

var _ bus.Observer = (*Metrics)(nil)

var streams = []bus.Stream{bus.Jobs, bus.Bulk, bus.Work, bus.Rounds, bus.Keys, bus.Sign, bus.Results, bus.Notices,
	bus.Presence, bus.Control, bus.Requests, bus.Labels, bus.DeadLetter}

// writes are the streams that a role publishes to.
var writes = map[string][]bus.Stream{
	RoleWorker:  {bus.Rounds, bus.Sign, bus.Presence},
	RoleGateway: {bus.Work, bus.Keys, bus.Results, bus.Notices, bus.Presence, bus.Requests, bus.Labels, bus.DeadLetter},
}

// durables are the consumers that gateways share, one for each kind of job and one for
// large jobs.
func durables() (names []string) {
	for _, kind := range wire.KindNames() {
		names = append(names, bus.GatewaysDurable(kind))
	}
	return append(names, bus.BulkDurable)
}

func newBusMetrics(both, gateway factory, of Identity) busMetrics {
	stream, durable := oneOf("stream", writes[of.Role]...), oneOf("durable", durables()...)
	return busMetrics{
		publishes: both.counters("frostfleet_bus_publishes_total",
			"Attempts to publish, by stream and outcome: ok, or why not.", stream, oneOf("outcome", bus.Outcomes...)),
		took: both.histograms("frostfleet_bus_publish_seconds",
			"Publishes that were ok, until the server had stored them.", buckets, stream),
		deliveries: gateway.counters("frostfleet_bus_deliveries_total",
			"Jobs that came to this gateway.", durable),
		redeliveries: gateway.counters("frostfleet_bus_redeliveries_total",
			"Jobs that came, and not for the first time.", durable),
		reconnects: both.NewCounter(prometheus.CounterOpts{
			Name: "frostfleet_bus_reconnects_total", Help: "Times that the connection to NATS was made again."}),
	}
}

// Published implements bus.Observer.
func (m *Metrics) Published(stream bus.Stream, outcome string, took time.Duration) {
	name := knownOr(stream.Family(), streams)
	m.bus.publishes.WithLabelValues(name, knownOr(outcome, bus.Outcomes)).Inc()
	if outcome == bus.OutcomeOK {
		m.bus.took.WithLabelValues(name).Observe(seconds(took))
	}
}

// Delivered implements bus.Observer.
func (m *Metrics) Delivered(durable string, again bool) {
	durable = knownOr(durable, durables())
	m.bus.deliveries.WithLabelValues(durable).Inc()
	if again {
		m.bus.redeliveries.WithLabelValues(durable).Inc()
	}
}

// Reconnected implements bus.Observer.
func (m *Metrics) Reconnected() { m.bus.reconnects.Inc() }
