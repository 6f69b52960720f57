package telemetry

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// providerMetrics are those of a node's key provider: its calls, its health,
// what the cache and the coalescer save, and what it costs.
type providerMetrics struct {
	name        string // the only value of the label provider
	calls       *prometheus.HistogramVec
	up, circuit prometheus.Gauge
	failing     *prometheus.GaugeVec
	cache       *prometheus.CounterVec
	coalesced   prometheus.Histogram
	cost        *cost
}

var _ keyprovider.Observer = (*Metrics)(nil)

func newProviderMetrics(r prometheus.Registerer, back keyprovider.Backend, prices keyprovider.Prices) providerMetrics {
	f := factoryOf(r)
	return providerMetrics{
		name: back.Type,
		calls: f.histograms("frostfleet_provider_call_seconds",
			"Calls that the key provider's device got, by operation and outcome: ok, or why not. Each attempt counts.",
			buckets, oneOf("provider", back.Type), oneOf("operation", back.Operations...), oneOf("outcome", keyprovider.OK)),
		up: f.NewGauge(prometheus.GaugeOpts{
			Name: "frostfleet_provider_up", Help: "1 while the key provider works, 0 while it fails."}),
		circuit: f.NewGauge(prometheus.GaugeOpts{
			Name: "frostfleet_provider_circuit_open",
			Help: "1 while calls fail at once and the device is left alone, but for a try now and then."}),
		failing: f.gauges("frostfleet_provider_failing",
			"1 for the reason why the key provider fails, 0 for every other.", "reason"),
		cache: f.counters("frostfleet_provider_cache_total",
			"Derived values, by whether memory had them (hit) or the device was asked (miss).",
			oneOf("result", "hit", "miss")),
		coalesced: f.NewHistogram(histogram("frostfleet_provider_coalesced_digests",
			"Digests that one signature of the device served.", powers(frost.MaxBatch))),
		cost: newCost(f, prices),
	}
}

// ForProvider registers the metrics of a node's key provider. It is called once,
// before the provider is used. A failure has a
// series per reason in frostfleet_provider_failing from the start; among the
// calls it gets one when it happens, as there would be a thousand.
func (m *Metrics) ForProvider(back keyprovider.Backend, prices keyprovider.Prices) {
	m.provider = newProviderMetrics(m.registry, back, prices)
	m.ProviderState(nil)
}

// SetPrices has calls of the key provider cost something else from now on.
func (m *Metrics) SetPrices(prices keyprovider.Prices) { m.provider.cost.setPrices(prices) }

// DeviceUse is what a node's heartbeats tell of its device.
func (m *Metrics) DeviceUse() wire.DeviceUse {
	micro := func(usd float64) uint64 { return uint64(math.Round(usd * 1e6)) }
	calls, usd := m.provider.cost.sum()
	return wire.DeviceUse{
		Kind: wire.ClipHeartbeat(m.provider.name), Calls: calls, Cost: micro(usd),
		Month: micro(m.provider.cost.month()),
	}
}

// ProviderCall implements keyprovider.Observer.
func (m *Metrics) ProviderCall(c keyprovider.Call) {
	operation := knownOr(c.Operation, keyprovider.Operations)
	outcome := knownOr(keyprovider.ReasonOf(c.Err), keyprovider.Reasons)
	m.provider.calls.WithLabelValues(m.provider.name, operation, outcome).Observe(c.Took.Seconds())
	m.provider.cost.add(c.Operation)
}

// ProviderState implements keyprovider.Observer.
func (m *Metrics) ProviderState(err error) {
	p, now := &m.provider, knownOr(keyprovider.CauseOf(err), keyprovider.Reasons)
	for _, reason := range keyprovider.Reasons {
		switch reason {
		case keyprovider.OK, keyprovider.Canceled, keyprovider.Closed, keyprovider.CannotDerive, keyprovider.CircuitOpen:
			// no failures of the device
		default:
			p.failing.WithLabelValues(string(reason)).Set(boolGauge(string(reason) == now))
		}
	}
	p.up.Set(boolGauge(err == nil))
	p.circuit.Set(boolGauge(keyprovider.ReasonOf(err) == keyprovider.CircuitOpen))
}

// ProviderCached implements keyprovider.Observer.
func (m *Metrics) ProviderCached(hit bool) {
	result := "miss"
	if hit {
		result = "hit"
	}
	m.provider.cache.WithLabelValues(result).Inc()
}

// ProviderCoalesced implements keyprovider.Observer.
func (m *Metrics) ProviderCoalesced(digests int) { m.provider.coalesced.Observe(float64(digests)) }
