package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/buswatch"
)

// Bus tells of the connection, by the last sample: while there is none, or it is
// old, of nothing but whether there is a connection.
func (m *Metrics) Bus(sample func() (buswatch.Sample, bool), connected func() error) {
	var (
		connectedDesc = desc("frostfleet_bus_connected", "1 while there is a connection to NATS.")
		rtt           = desc("frostfleet_bus_rtt_seconds", "To the NATS server and back.")
		offset        = desc("frostfleet_bus_clock_offset_seconds",
			"This machine's clock minus the NATS server's; 0 if that can't be told from none.")
		lagMessages = desc("frostfleet_bus_follower_lag_messages",
			"Messages by which reading is behind a stream's end.", "stream")
		lagSeconds = desc("frostfleet_bus_follower_lag_seconds",
			"Time since which reading is behind a stream's end.", "stream")
		expires = desc("frostfleet_credential_expires_timestamp_seconds",
			"When something ends without which there is no connection to NATS.", "credential")
		pending = desc("frostfleet_bus_consumer_pending_messages",
			"Jobs that no gateway has got yet.", "durable")
		unacknowledged = desc("frostfleet_bus_consumer_unacknowledged_messages",
			"Jobs that a gateway has got and not ended, any gateway.", "durable")
		messages = desc("frostfleet_bus_stream_messages", "Messages in a stream.", "stream")
		bytes    = desc("frostfleet_bus_stream_bytes", "Size of a stream.", "stream")
		limit    = desc("frostfleet_bus_stream_limit_bytes", "Size that a stream may have.", "stream")
		stored   = desc("frostfleet_bus_stream_stored_total",
			"Messages that a stream ever got: its last sequence.", "stream")
		full = desc("frostfleet_bus_clients_at_quota",
			"Subjects of JOBS and BULK, a client's and a kind's, that have as many open jobs as they may.")
		replicas = desc("frostfleet_bus_stream_replicas", "Copies of a stream that there should be.", "stream")
		current  = desc("frostfleet_bus_stream_replicas_current",
			"Copies of a stream that are there and complete; 0 while it is missing or has no leader.", "stream")
		damaged = desc("frostfleet_bus_stream_damaged_messages",
			"Messages that a copy of KEYS lacks, of which none is ever deleted.", "stream")
		used = desc("frostfleet_bus_storage_bytes",
			"What the fleet's NATS account takes of the server's storage.", "storage")
		usedLimit = desc("frostfleet_bus_storage_limit_bytes", "What it may take.", "storage")
	)
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
		}
		gauge(connectedDesc, boolGauge(connected() == nil))
		s, ok := sample()
		if !ok {
			return
		}
		if s.RTT > 0 {
			gauge(rtt, s.RTT.Seconds())
		}
		if s.ClockKnown {
			gauge(offset, s.ClockOffset.Seconds())
		}
		for _, f := range s.Followers {
			gauge(lagMessages, float64(f.Behind), string(f.Stream))
			gauge(lagSeconds, f.For.Seconds(), string(f.Stream))
		}
		for _, c := range s.Credentials {
			gauge(expires, float64(c.Expires.UnixNano())/float64(time.Second), "bus_"+c.Name)
		}
		for _, stream := range s.Streams {
			if stream.Stream == bus.Keys {
				gauge(damaged, float64(stream.Damaged), string(stream.Stream))
			}
		}
		if m.of.Role != RoleGateway {
			return
		}
		for _, c := range s.Consumers {
			gauge(pending, float64(c.Pending), c.Durable)
			gauge(unacknowledged, float64(c.Unacknowledged), c.Durable)
		}
		atQuota, asked := 0, false
		for _, stream := range s.Streams {
			name := string(stream.Stream)
			gauge(messages, float64(stream.Messages), name)
			gauge(bytes, float64(stream.Bytes), name)
			if stream.MaxBytes > 0 {
				gauge(limit, float64(stream.MaxBytes), name)
			}
			out <- prometheus.MustNewConstMetric(stored, prometheus.CounterValue, float64(stream.Last), name)
			if stream.Stream == bus.Jobs || stream.Stream == bus.Bulk {
				atQuota, asked = atQuota+stream.AtQuota, true
			}
			gauge(replicas, float64(stream.Replicas), name)
			gauge(current, float64(stream.Current), name)
		}
		if asked {
			gauge(full, float64(atQuota))
		}
		for _, stream := range s.Leaderless {
			gauge(current, 0, string(stream))
		}
		for _, storage := range s.Storage {
			gauge(used, float64(storage.Used), storage.Kind)
			if storage.Limit > 0 {
				gauge(usedLimit, float64(storage.Limit), storage.Kind)
			}
		}
	}))
}
