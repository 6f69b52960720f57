package telemetry

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// Presence tells whom a gateway hears, node by node.
func (m *Metrics) Presence(read func() ([]protocol.NodePresence, []string)) {
	present := desc("frostfleet_node_present", "1 while a node is heard, or answers; 0 makes it the last choice.", "index")
	age := desc("frostfleet_node_heartbeat_age_seconds", "Time since a node's last heartbeat.", "index")
	build := desc("frostfleet_node_other_build", "1 if a node runs another version than this gateway.", "index")
	foreign := desc("frostfleet_node_other_manifest",
		"1 while something on a node's subject claims another manifest.", "index")
	policy := desc("frostfleet_node_other_policy", "1 if a node has another policy than most nodes that are heard.", "index")
	twins := desc("frostfleet_node_twins_total", "Processes of a node that ended since another one runs.", "index")
	inFlight := desc("frostfleet_node_in_flight", "Sessions and batches in work at a node, as it says.", "index")
	backlog := desc("frostfleet_node_backlog", "Computations that wait at a node, as it says.", "index")
	others := desc("frostfleet_gateways_present", "Gateways that this one hears, itself included.")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		nodes, gateways := read()
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
		}
		gauge(others, float64(len(gateways)))
		for i, differs := range otherPolicies(nodes) {
			gauge(policy, boolGauge(differs), strconv.Itoa(i))
		}
		for i, n := range nodes {
			index := strconv.Itoa(i)
			gauge(present, boolGauge(n.Present), index)
			gauge(foreign, boolGauge(n.Foreign), index)
			out <- prometheus.MustNewConstMetric(twins, prometheus.CounterValue, float64(n.Twins), index)
			if n.Last == nil {
				continue
			}
			gauge(age, seconds(time.Since(n.Heard)), index)
			gauge(build, boolGauge(n.Last.Build != m.of.Version), index)
			gauge(inFlight, float64(n.Last.InFlight), index)
			gauge(backlog, float64(n.Last.Backlog), index)
		}
	}))
}
