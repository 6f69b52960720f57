package rules

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOneCauseOneAlert plays whole fleets to the rules: half an hour in which
// all is well, half an hour of trouble, an hour after it. Only the alert of the
// cause fires, whatever else the trouble shows in.
func TestOneCauseOneAlert(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := well()
			s.change(f)
			path := filepath.Join(t.TempDir(), "scenario.yml")
			if err := os.WriteFile(path, []byte(f.test(t, s)), 0o600); err != nil {
				t.Fatal(err)
			}
			promtool(t, "test", "rules", path)
		})
	}
}

// A fleet is its series: 2 of 4, a gateway.
type fleet map[string]series

// A series is a gauge, or a counter with its growth in 30 seconds. NaN
// is no series.
type series struct {
	during                 []float64 // instead of trouble: again and again, for a gauge
	kind                   kind
	before, trouble, after float64
}

type kind int

const (
	gauge kind = iota
	counter
	jump // a counter that makes up for the trouble at its end
)

const gateway = `job="frostfleet", instance="g:1", fleet="main", node="gateway0", role="gateway"`

func worker(i int) string {
	return fmt.Sprintf(`job="frostfleet", instance="w%d:1", fleet="main", node="worker-%d", role="worker"`, i, i)
}

var programs = []string{worker(0), worker(1), worker(2), worker(3), gateway}

// set changes what a series is while there is trouble; one that was not there
// is 0 before and after.
func (f fleet) set(name, program string, k kind, trouble float64) {
	name = fmt.Sprintf(name, program)
	s := f[name]
	s.kind, s.trouble = k, trouble
	f[name] = s
}

func well() fleet {
	f := fleet{}
	always := func(name, program string, k kind, v float64) { f[fmt.Sprintf(name, program)] = series{nil, k, v, v, v} }
	for _, p := range programs {
		checks := []string{"bus", "manifest", "lag", "reload", "gateway"}
		if p != gateway {
			checks = []string{"bus", "manifest", "lag", "reload", "worker", "key_provider", "keystore"}
		}
		for _, check := range checks {
			always(`frostfleet_check{check="`+check+`", %s}`, p, gauge, 1)
		}
		for name, v := range map[string]float64{`up{%s}`: 1, `frostfleet_ready{%s}`: 1, `frostfleet_fleet_nodes{%s}`: 4, `frostfleet_fleet_threshold{%s}`: 2,
			`frostfleet_bus_clock_offset_seconds{%s}`: 0.2, `frostfleet_bus_follower_lag_seconds{stream="KEYS", %s}`: 2, `process_start_time_seconds{%s}`: 5,
			`frostfleet_credential_expires_timestamp_seconds{credential="bus_creds", %s}`: 9e6} {
			always(name, p, gauge, v)
		}
	}
	for i := range 4 {
		for name, v := range map[string]float64{"present": 1, "other_build": 0, "other_manifest": 0} {
			always(fmt.Sprintf(`frostfleet_node_%s{index="%d", %%s}`, name, i), gateway, gauge, v)
		}
		always(fmt.Sprintf(`frostfleet_node_twins_total{index="%d", %%s}`, i), gateway, counter, 0)
		always(`frostfleet_provider_up{%s}`, worker(i), gauge, 1)
		always(`frostfleet_provider_failing{reason="denied", %s}`, worker(i), gauge, 0)
		always(`frostfleet_session_key_expires_timestamp_seconds{%s}`, worker(i), gauge, 9e6)
		always(`frostfleet_bus_publishes_total{stream="KEYS", outcome="busy", %s}`, worker(i), counter, 0)
		always(`frostfleet_aborts_total{code="deal_share", culprit="2", %s}`, worker(i), counter, 0)
		always(`frostfleet_provider_call_seconds_count{provider="aws-kms", operation="sign", outcome="ok", %s}`, worker(i), counter, 20)
		f.provider(i, "1.0", 20)
		f.provider(i, "2.5", 20)
		f.provider(i, "+Inf", 20)
	}
	always(`frostfleet_queue_wait_seconds{%s}`, gateway, gauge, 1)
	always(`frostfleet_retry_budget{%s}`, gateway, gauge, 10)
	always(`frostfleet_bus_clients_at_quota{%s}`, gateway, gauge, 0)
	always(`frostfleet_events_total{event="unserved", %s}`, gateway, counter, 0)
	always(`frostfleet_node_blamed_total{index="2", code="share_wrong", %s}`, gateway, counter, 0)
	for _, w := range []string{"keygen", "sign"} {
		always(`frostfleet_bus_consumer_pending_messages{durable="gateways-`+w+`", %s}`, gateway, gauge, 0)
		always(`frostfleet_bus_consumer_unacknowledged_messages{durable="gateways-`+w+`", %s}`, gateway, gauge, 3)
		always(`frostfleet_bus_deliveries_total{durable="gateways-`+w+`", %s}`, gateway, counter, 100)
		always(`frostfleet_bus_redeliveries_total{durable="gateways-`+w+`", %s}`, gateway, counter, 0)
	}
	always(`frostfleet_jobs_total{kind="keygen", code="done", %s}`, gateway, counter, 10)
	always(`frostfleet_jobs_total{kind="sign", code="done", %s}`, gateway, counter, 100)
	always(`frostfleet_jobs_total{kind="sign", code="signing_failed", %s}`, gateway, counter, 0)
	always(`frostfleet_job_seconds_count{kind="sign", load="interactive", %s}`, gateway, counter, 100)
	always(`frostfleet_job_seconds_bucket{kind="sign", load="interactive", le="0.25", %s}`, gateway, counter, 99.9)
	return f
}

// provider sets how many signatures a node's key provider makes within le.
func (f fleet) provider(i int, le string, rate float64) {
	name := fmt.Sprintf(`frostfleet_provider_call_seconds_bucket{provider="aws-kms", operation="sign", outcome="ok", le="%s", %s}`, le, worker(i))
	f[name] = series{nil, counter, 20, rate, 20}
}

// phase is half an hour in samples.
const phase = 60

// values writes a series for promtool.
func (s series) values() string {
	var out []string
	total := 0.0
	for i, v := range []float64{s.before, s.trouble, s.after} {
		n := []int{phase, phase, 2 * phase}[i]
		switch {
		case i == 1 && s.during != nil:
			for k := range n {
				out = append(out, strings.Replace(fmt.Sprint(s.during[k%len(s.during)]), "NaN", "stale", 1))
			}
		case math.IsNaN(v):
			out = append(out, fmt.Sprintf("stale _x%d", n-1))
		case s.kind == gauge:
			out = append(out, fmt.Sprintf("%gx%d", v, n-1))
		default:
			if s.kind == jump && i == 2 {
				total += s.before * phase
			}
			out = append(out, fmt.Sprintf("%g+%gx%d", total, v, n-1))
			total += v * float64(n)
		}
	}
	return strings.Join(out, " ")
}

// test is a promtool test: what fires at any time during the trouble, and that
// nothing does before it, nothing else soon after it, and nothing once it was over
// for so long as the scenario lasts.
func (f fleet) test(t *testing.T, s scenario) string {
	t.Helper()
	over := 60 + cmp.Or(s.lasts, 7)
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: ['%s']\nevaluation_interval: 30s\n", without(t, s.without))
	fmt.Fprintln(
		&b,
		"group_eval_order: [frostfleet-fleet, frostfleet-work, frostfleet-objectives, frostfleet-nodes, frostfleet-gateways, frostfleet-provider, frostfleet-jobs, frostfleet-bus, frostfleet-burn]",
	)
	fmt.Fprintln(&b, "tests:\n- interval: 30s\n  input_series:")
	for _, name := range slices.Sorted(maps.Keys(f)) {
		fmt.Fprintf(&b, "  - series: '%s'\n    values: '%s'\n", name, f[name].values())
	}
	fmt.Fprintln(&b, "  promql_expr_test:")
	for _, look := range []struct {
		from, to int
		firing   []string
	}{{0, 29, nil}, {30, 59, s.firing}, {59, over, s.firing}, {over, 118, nil}} {
		fmt.Fprintf(
			&b,
			"  - expr: count by (alertname, node) (max_over_time(ALERTS{alertstate=\"firing\"}[%dm]))\n    eval_time: %dm\n    exp_samples:\n",
			look.to-look.from,
			look.to,
		)
		for _, alert := range look.firing {
			name, node, _ := strings.Cut(alert, " ")
			labels := fmt.Sprintf(`alertname="%s"`, name)
			if node != "" {
				labels += fmt.Sprintf(`, node="%s"`, node)
			}
			fmt.Fprintf(&b, "    - labels: '{%s}'\n      value: 1\n", labels)
		}
	}
	return b.String()
}
