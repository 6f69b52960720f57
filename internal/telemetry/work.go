package telemetry

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// workMetrics tell of batches and signing sessions.
type workMetrics struct {
	events, items, aborts, blamed *prometheus.CounterVec
	decisions                     *prometheus.CounterVec   // workers
	batches                       *prometheus.HistogramVec // workers
	rules                         *ruleNames
}

var suites = []string{frost.Secp256k1TR.String(), frost.Ed25519.String()}

// abortCodes say why batches were given up.
var abortCodes = []wire.Code{frost.CodeMalformed, frost.CodePoint, frost.CodeIdentity, frost.CodeProof, frost.CodeShare,
	wire.CodeRestarted, wire.CodeDealReplaced, wire.CodeOtherTranscript, wire.CodeFalseCertificate,
	wire.CodeInternal, other}

// blameCodes say what proved a node faulty.
var blameCodes = []wire.Code{frost.CodeMalformed, frost.CodePoint, frost.CodeIdentity, frost.CodeProof, frost.CodeShare,
	wire.CodeFalseCertificate, protocol.BlameCommitment, protocol.BlameShareForm, protocol.BlameShare}

func newWorkMetrics(both, worker factory) workMetrics {
	return workMetrics{
		events: both.counters("frostfleet_events_total",
			"What this program did or saw in batches and signing sessions, by event.",
			oneOf("event", protocol.ReportKinds...)),
		items: both.counters("frostfleet_items_total",
			"Keys and signature shares behind the events, by event and suite.",
			oneOf("event", protocol.ReportDealt, protocol.ReportCertified, protocol.ReportComplete,
				protocol.ReportRecovered, protocol.ReportRegistered, protocol.ReportCommitted, protocol.ReportShared,
				protocol.ReportRedealt, protocol.ReportReshareCertified, protocol.ReportReshareComplete,
				protocol.ReportReshareRefused, protocol.ReportReshareAbandoned, protocol.ReportMoved, protocol.ReportReshared),
			oneOf("suite", suites...)),
		aborts: both.counters("frostfleet_aborts_total",
			"Batches given up, by why and by the node whose fault it was; none if nobody's.",
			oneOf("code", abortCodes...), nobody),
		blamed: both.counters("frostfleet_node_blamed_total",
			"Proofs that a node is faulty, by the node and by what it signed.",
			label{name: "index"}, oneOf("code", blameCodes...)),
		rules: &ruleNames{known: map[string]bool{}},
		decisions: worker.counters("frostfleet_decisions_total",
			"What this node decided about sessions that it was asked to sign in, by the rule of its policy; none if no rule did.",
			oneOf("decision", decisions...), oneOf("rule", noRule, other)),
		batches: worker.histograms("frostfleet_batch_items",
			"Keys of a batch that this node dealt in, and items of a session that it committed to.",
			powers(frost.MaxBatch), oneOf("kind", wire.Kinds...)),
	}
}

// Report implements worker.Observer and gateway.Observer.
func (m *Metrics) Report(r protocol.Report) {
	w, event := &m.work, knownOr(r.What, protocol.ReportKinds)
	w.events.WithLabelValues(event).Inc()
	if r.Count > 0 {
		w.items.WithLabelValues(event, knownOr(r.Suite.String(), suites)).Add(float64(r.Count))
	}
	switch r.What {
	case protocol.ReportDealt:
		w.batches.WithLabelValues(string(wire.KindKeygen)).Observe(float64(r.Count))
	case protocol.ReportCommitted:
		w.batches.WithLabelValues(string(wire.KindSign)).Observe(float64(r.Count))
		w.decided(r, protocol.Approved)
	case protocol.ReportRefused:
		w.decided(r, failed)
	case protocol.ReportAborted:
		w.aborts.WithLabelValues(knownOr(r.Code, abortCodes), culprit(r.Culprit, m.size.most())).Inc()
		w.blame(r, m.size.most())
	case protocol.ReportBlamed:
		w.blame(r, m.size.most())
	case protocol.ReportRetry:
		m.jobs.retries.WithLabelValues(knownOr(r.Kind, wire.Kinds), culprit(r.Culprit, m.size.most())).Inc()
	case protocol.ReportReshareAbandoned:
		m.jobs.abandoned.WithLabelValues(knownOr(r.Code, abandonCodes)).Inc()
	}
}

// blame counts what a node's own signed message proves against it. Nobody's word does:
// a program reports only what it checked itself.
func (w *workMetrics) blame(r protocol.Report, nodes int) {
	if r.Culprit >= 0 && r.Culprit < nodes && slices.Contains(blameCodes, r.Code) {
		w.blamed.WithLabelValues(culprit(r.Culprit, nodes), string(r.Code)).Inc()
	}
}

// Nonces tells of nonce pairs, one for each item of a session: how many this node
// drew, and of them how many made a share and how many were wiped unused.
func (m *Metrics) Nonces(read func() (drawn, used, dropped uint64)) {
	nonces := desc("frostfleet_nonces_total",
		"Nonce pairs, one for each item of a session: drawn, used for a share, dropped unused.", "state")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		drawn, used, dropped := read()
		for state, n := range map[string]uint64{"drawn": drawn, "used": used, "dropped": dropped} {
			out <- prometheus.MustNewConstMetric(nonces, prometheus.CounterValue, float64(n), state)
		}
	}))
}
