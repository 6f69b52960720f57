package monitor

import (
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/dashboards"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// These are recorded only while a whole fleet stands still, or while a program refuses a
// changed file, which nothing here brings about; test/rules does.
const (
	outage  = "fleet:frostfleet_outage:firing"
	refuses = "node:frostfleet_check_reload:only"
)

// testRules: Prometheus could evaluate every rule, and every recording rule
// gave something since the start, if only in trouble.
func testRules(t *testing.T, s *Stand) {
	rules, err := s.Prometheus.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	alerts := 0
	for _, r := range rules {
		if r.Health != "ok" {
			t.Errorf("%s %s: %s: %s", r.Type, r.Name, r.Health, r.LastError)
		}
		switch {
		case r.Type == "alerting":
			alerts++
			continue
		case r.Name == outage, r.Name == refuses:
			continue
		}
		found, err := s.Prometheus.Query(t.Context(), "count_over_time({__name__=\""+r.Name+"\"}[1h])")
		if err != nil || len(found) == 0 {
			t.Errorf("%s was never recorded: %v", r.Name, err)
		}
	}
	if alerts == 0 || alerts == len(rules) {
		t.Errorf("of %d rules %d are alerts", len(rules), alerts)
	}
}

// testDashboards: every query of every panel gives something, unless the panel
// says what it means when there is nothing.
func testDashboards(t *testing.T, s *Stand, start time.Time) {
	pages, err := dashboards.Load(panels)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queries(pages, s, time.Since(start)) {
		found, err := s.Prometheus.Query(t.Context(), q.Expr)
		switch {
		case err != nil:
			t.Errorf("%s, %s: %v", q.Dashboard, q.Panel, err)
		case len(found) == 0 && q.Empty == "":
			t.Errorf("%s, %s: nothing: %s", q.Dashboard, q.Panel, q.Expr)
		}
	}
}

// queries of the pages, as Grafana would ask them.
func queries(pages []dashboards.Dashboard, s *Stand, shown time.Duration) []dashboards.Query {
	var all []dashboards.Query
	for _, page := range pages {
		all = append(all, page.Queries(dashboards.Values{Fleet: fleettest.Name, Rate: max(4*s.Prometheus.Interval, 15*time.Second), Range: shown})...)
	}
	return all
}
