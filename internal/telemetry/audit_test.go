package telemetry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestRulesAreBounded: no policy makes more series than maxRules and other.
func TestRulesAreBounded(t *testing.T) {
	m, r := full(t, worker0)
	var names []string
	for i := range 10 * maxRules {
		names = append(names, fmt.Sprint("rule", i))
	}
	m.Rules(names)
	for _, rule := range names {
		m.Report(protocol.Report{What: protocol.ReportCommitted, Culprit: -1,
			Asked: &protocol.Asked{Decision: protocol.Approved, Rule: rule}})
	}
	series := 0
	for name := range read(t, r) {
		if strings.HasPrefix(name, "decisions_total{decision=approved") {
			series++
		}
	}
	if series != maxRules+2 { // none and other
		t.Errorf("%d series", series)
	}
	wantSamples(t, r, map[string]float64{
		"decisions_total{decision=approved,rule=other}": 9*maxRules + 1, "decisions_total{decision=approved,rule=rule0}": 1,
	})
}

func TestAuditMetrics(t *testing.T) {
	_, r := full(t, gateway0)
	wantSamples(t, r, map[string]float64{
		"audit_records_total{}": 7, "audit_waiting_records{}": 2, "audit_lost_records_total{}": 1,
		"node_audit_rewound_total{index=0}": 0, "node_audit_rewound_total{index=1}": 2,
	})
}

// TestOtherPolicies: the odd one out is named, and nobody is whom nobody hears.
func TestOtherPolicies(t *testing.T) {
	of := func(policies ...int) (nodes []protocol.NodePresence) {
		for _, p := range policies {
			n := protocol.NodePresence{Present: p >= 0, Last: &wire.Heartbeat{Policy: [32]byte{byte(max(p, 0))}}}
			nodes = append(nodes, n)
		}
		return append(nodes, protocol.NodePresence{Present: true}) // one that was never heard
	}
	for name, c := range map[string]struct {
		nodes []protocol.NodePresence
		want  string
	}{
		"all the same":            {of(1, 1, 1), "map[0:false 1:false 2:false]"},
		"no policy anywhere":      {of(0, 0, 0), "map[0:false 1:false 2:false]"},
		"one without a policy":    {of(1, 0, 1), "map[0:false 1:true 2:false]"},
		"the first is the odd":    {of(2, 1, 1), "map[0:true 1:false 2:false]"},
		"two and two":             {of(1, 2, 2, 1), "map[0:false 1:true 2:true 3:false]"},
		"all different":           {of(1, 2, 3), "map[0:false 1:true 2:true]"},
		"the odd one is not here": {of(1, -1, 1), "map[0:false 2:false]"},
	} {
		if got := fmt.Sprint(otherPolicies(c.nodes)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
