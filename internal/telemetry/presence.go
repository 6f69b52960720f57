package telemetry

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// Presence tells whom a gateway hears, node by node: of the manifests whose nodes the fleet needs.
// The nodes of one that all keys have left have no series any more.
func (m *Metrics) Presence(manifests func() []protocol.ManifestNodes, gateways func() []string) {
	node := func(name, help string) *prometheus.Desc { return desc(name, help, "index", "epoch") }
	present := node("frostfleet_node_present", "1 while a node is heard, or answers; 0 makes it the last choice.")
	age := node("frostfleet_node_heartbeat_age_seconds", "Time since a node's last heartbeat.")
	build := node("frostfleet_node_other_build", "1 if a node runs another version than this gateway.")
	foreign := node("frostfleet_node_other_manifest", "1 while something on a node's subject claims another manifest.")
	policy := node("frostfleet_node_other_policy", "1 if a node has another policy than most nodes that are heard.")
	twins := node("frostfleet_node_twins_total", "Processes of a node that ended since another one runs.")
	inFlight := node("frostfleet_node_in_flight", "Sessions and batches in work at a node, as it says.")
	backlog := node("frostfleet_node_backlog", "Computations that wait at a node, as it says.")
	others := desc("frostfleet_gateways_present", "Gateways that this one hears, itself included.")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
		}
		gauge(others, float64(len(gateways())))
		for _, of := range manifests() {
			epoch := strconv.Itoa(of.Manifest.Epoch)
			for i, differs := range otherPolicies(of.Nodes) {
				gauge(policy, boolGauge(differs), strconv.Itoa(i), epoch)
			}
			for i, n := range of.Nodes {
				index := strconv.Itoa(i)
				gauge(present, boolGauge(n.Present), index, epoch)
				gauge(foreign, boolGauge(n.Foreign), index, epoch)
				out <- prometheus.MustNewConstMetric(twins, prometheus.CounterValue, float64(n.Twins), index, epoch)
				if n.Last == nil {
					continue
				}
				gauge(age, seconds(time.Since(n.Heard)), index, epoch)
				gauge(build, boolGauge(n.Last.Build != m.of.Version), index, epoch)
				gauge(inFlight, float64(n.Last.InFlight), index, epoch)
				gauge(backlog, float64(n.Last.Backlog), index, epoch)
			}
		}
	}))
}
