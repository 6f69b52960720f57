package telemetry

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// failed is what a node decided that refused for another reason than its policy.
const failed protocol.Decision = "failed"

var decisions = []protocol.Decision{protocol.Approved, protocol.Denied, protocol.NeedsApproval, failed}

// noRule is the label of what no rule decided.
const noRule = "none"

// maxRules bounds the label: as many as a policy may have.
const maxRules = 256

// ruleNames are those of the policy in force.
type ruleNames struct {
	mu    sync.Mutex
	known map[string]bool
}

// Rules names the rules of a node's policy, before it decides anything. It may be called
// again, with those of another one.
func (m *Metrics) Rules(names []string) {
	w := &m.work
	w.rules.mu.Lock()
	defer w.rules.mu.Unlock()
	for _, rule := range names {
		if len(w.rules.known) < maxRules {
			w.rules.known[rule] = true
		}
	}
	for rule := range w.rules.known {
		for _, d := range decisions {
			w.decisions.WithLabelValues(string(d), rule)
		}
	}
}

func (n *ruleNames) label(rule string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case rule == "":
		return noRule
	case n.known[rule]:
		return rule
	}
	return other
}

// decided counts what a policy decided, or else what came of the session.
func (w *workMetrics) decided(r protocol.Report, outcome protocol.Decision) {
	rule := ""
	if r.Asked != nil {
		rule = r.Asked.Rule
		if d := r.Asked.Decision; d == protocol.Denied || d == protocol.NeedsApproval {
			outcome = d
		}
	}
	w.decisions.WithLabelValues(string(outcome), w.rules.label(rule)).Inc()
}

// Audit tells of a program's audit log; of one without a log, that it has no records.
func (m *Metrics) Audit(stats func() (written, waiting, lost uint64)) {
	records := desc("frostfleet_audit_records_total", "Records that the audit log got since the start.")
	queue := desc("frostfleet_audit_waiting_records", "Records that wait in memory to be written to the audit log.")
	gone := desc("frostfleet_audit_lost_records_total",
		"Records that memory had no room for while the audit log could not be written.")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		written, waiting, lost := stats()
		out <- prometheus.MustNewConstMetric(records, prometheus.CounterValue, float64(written))
		out <- prometheus.MustNewConstMetric(queue, prometheus.GaugeValue, float64(waiting))
		out <- prometheus.MustNewConstMetric(gone, prometheus.CounterValue, float64(lost))
	}))
}

// AuditRewound tells how often the head of a node's audit log went back.
func (m *Metrics) AuditRewound(read func() map[int]int) {
	rewound := desc("frostfleet_node_audit_rewound_total",
		"Times that the head of a node's audit log, as its heartbeats tell it, went back.", "index")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		times := read()
		for i := range m.size.most() {
			out <- prometheus.MustNewConstMetric(rewound, prometheus.CounterValue, float64(times[i]), strconv.Itoa(i))
		}
	}))
}

// otherPolicies reports, of nodes that are heard, who has another policy than most have.
// Where as many have one as another, the one of the first node is taken for most.
func otherPolicies(nodes []protocol.NodePresence) map[int]bool {
	count := map[[32]byte]int{}
	for _, n := range nodes {
		if n.Present && n.Last != nil {
			count[n.Last.Policy]++
		}
	}
	var most [32]byte
	best := 0
	for _, n := range nodes {
		if n.Present && n.Last != nil && count[n.Last.Policy] > best {
			most, best = n.Last.Policy, count[n.Last.Policy]
		}
	}
	others := map[int]bool{}
	for i, n := range nodes {
		if n.Present && n.Last != nil {
			others[i] = n.Last.Policy != most
		}
	}
	return others
}
