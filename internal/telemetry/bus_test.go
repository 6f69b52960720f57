package telemetry

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/buswatch"
)

// fromSample are the metrics that come of a sample.
func fromSample(samples map[string]float64) map[string]float64 {
	out := map[string]float64{}
	for name, value := range samples {
		for _, prefix := range []string{"bus_connected", "bus_rtt", "bus_clock", "bus_follower", "bus_stream_", "bus_storage", "bus_consumer", "credential"} {
			if strings.HasPrefix(name, prefix) {
				out[name] = value
			}
		}
	}
	return out
}

func TestBusSample(t *testing.T) {
	both := map[string]float64{
		"bus_connected{}": 1, "bus_rtt_seconds{}": .002, "bus_clock_offset_seconds{}": -3,
		"bus_follower_lag_messages{stream=KEYS}": 16, "bus_follower_lag_seconds{stream=KEYS}": 1.5,
		"credential_expires_timestamp_seconds{credential=bus_tls_cert}": 17,
		"bus_stream_damaged_messages{stream=KEYS}":                      18,
	}
	gateways := map[string]float64{
		"bus_consumer_pending_messages{durable=gateways-sign}":        14,
		"bus_consumer_unacknowledged_messages{durable=gateways-sign}": 15,
		"bus_stream_messages{stream=KEYS}":                            4,
		"bus_stream_bytes{stream=KEYS}":                               5,
		"bus_stream_stored_total{stream=KEYS}":                        6,
		"bus_stream_limit_bytes{stream=KEYS}":                         7,
		"bus_stream_messages{stream=JOBS}":                            8,
		"bus_stream_bytes{stream=JOBS}":                               9,
		"bus_stream_stored_total{stream=JOBS}":                        10,
		"bus_stream_replicas{stream=KEYS}":                            3,
		"bus_stream_replicas_current{stream=KEYS}":                    2,
		"bus_stream_replicas{stream=JOBS}":                            1,
		"bus_stream_replicas_current{stream=JOBS}":                    1,
		"bus_stream_replicas_current{stream=SIGN}":                    0,
		"bus_storage_bytes{storage=file}":                             11,
		"bus_storage_limit_bytes{storage=file}":                       12,
		"bus_storage_bytes{storage=memory}":                           13,
	}
	for _, of := range []Identity{worker0, gateway0} {
		_, r := full(t, of)
		wantSamples(t, r, both)
		want := len(both)
		if of.Role == RoleGateway {
			wantSamples(t, r, gateways)
			want += len(gateways)
		}
		if got := fromSample(read(t, r)); len(got) != want {
			t.Errorf("%s: %v, want %d", of.Role, got, want)
		}
	}
}

// TestNoSample: what is not known has no series, and an old value is none.
func TestNoSample(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewMetrics(r, gateway0)
	var sample buswatch.Sample
	fresh, down := false, errors.New("down")
	m.Bus(func() (buswatch.Sample, bool) { return sample, fresh }, func() error { return down })
	if got := fromSample(read(t, r)); len(got) != 1 || got["bus_connected{}"] != 0 {
		t.Errorf("without a sample: %v", got)
	}
	sample = buswatch.Sample{At: time.Unix(1, 0), ClockOffset: time.Hour} // taken while disconnected: the offset is an old one
	fresh, down = true, nil
	if got := fromSample(read(t, r)); len(got) != 1 || got["bus_connected{}"] != 1 {
		t.Errorf("with an empty sample: %v", got)
	}
	sample.ClockOffset, sample.ClockKnown = 0, true
	got := fromSample(read(t, r))
	if offset, there := got["bus_clock_offset_seconds{}"]; !there || offset != 0 {
		t.Errorf("with a clock that is right: %v", got)
	}
}

// TestPublishedAllocatesNothing: it is called for every message.
func TestPublishedAllocatesNothing(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry(), worker0)
	m.Published(bus.Sign, bus.OutcomeOK, time.Millisecond)
	if n := testing.AllocsPerRun(100, func() { m.Published(bus.Sign, bus.OutcomeOK, time.Millisecond) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPublished(b *testing.B) {
	m := NewMetrics(prometheus.NewRegistry(), worker0)
	for b.Loop() {
		m.Published(bus.Sign, bus.OutcomeOK, time.Millisecond)
	}
}
