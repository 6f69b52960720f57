// Package rules runs promtool over configs/prometheus, and holds the rules
// against the metrics that exist and the alerts against the runbook.
package rules

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/wire"
)

const (
	folder  = "../../configs/prometheus"
	runbook = "https://github.com/frostfleet/frostfleet/blob/main/docs/operations.md#"
)

// promtool runs in configs/prometheus and fails the test if it fails.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is missing: run make test, which installs it, or apt-get install prometheus")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOGC=400") // a sixth less processor time, of much
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// glob gives paths from configs/prometheus.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s in %s: %d files, %v", pattern, folder, len(found), err)
	}
	for i, path := range found {
		if found[i], err = filepath.Rel(folder, path); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "config", "prometheus.yml")
	promtool(t, append([]string{"check", "rules"}, glob(t, "rules/*.yml")...)...)
	for _, path := range glob(t, "tests/*.yml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			promtool(t, "test", "rules", path)
		})
	}
}

var token = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)

// TestMetricsAreListed: a rule that asks for a metric or a label that nobody
// exports is silent for ever. The names are those of docs/metrics.md, which
// another test holds against running programs.
func TestMetricsAreListed(t *testing.T) {
	t.Parallel()
	listed, recorded, count := listedMetrics(t), map[string]bool{}, 0
	for _, r := range rules(t) {
		recorded[r.record] = true
	}
	for _, r := range rules(t) {
		for _, name := range token.FindAllString(r.expr+" "+r.text, -1) {
			switch {
			case strings.Contains(name, ":frostfleet_") && !recorded[name]:
				t.Errorf("%s: %s is not recorded", r.name(), name)
			case strings.HasPrefix(name, "frostfleet_"):
				count++
				if listed[base(listed, name)] == nil {
					t.Errorf("%s: docs/metrics.md does not list %s", r.name(), name)
				}
			}
		}
		for _, selector := range regexp.MustCompile(`(frostfleet_\w+)\{([^}]*)\}`).FindAllStringSubmatch(r.expr, -1) {
			for _, matcher := range regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`).FindAllStringSubmatch(selector[2], -1) {
				holdLabel(t, r, listed, selector[1], matcher[1], strings.Split(matcher[2], "|"))
			}
		}
	}
	if count < 60 {
		t.Errorf("found %d metrics: the search is broken", count)
	}
}

// holdLabel looks whether a metric has a label, and the label such values.
func holdLabel(t *testing.T, r rule, listed map[string][]string, metric, label string, values []string) {
	t.Helper()
	metric = base(listed, metric)
	if slices.Contains([]string{"fleet", "node", "role", "le"}, label) {
		return // of the targets, and of histograms
	}
	if !slices.Contains(listed[metric], label) {
		t.Errorf("%s: docs/metrics.md does not list the label %s of %s", r.name(), label, metric)
	}
	known := map[string][]string{
		"frostfleet_jobs_total code":                       append(names(wire.JobCodes), "done"),
		"frostfleet_bus_publishes_total outcome":           bus.Outcomes,
		"frostfleet_provider_call_seconds outcome":         names(keyprovider.Reasons),
		"frostfleet_provider_call_seconds operation":       keyprovider.Operations,
		"frostfleet_bus_publishes_total stream":            {string(bus.Jobs)},
		"frostfleet_bus_stream_bytes stream":               {string(bus.DeadLetter), string(bus.Notices)},
		"frostfleet_bus_consumer_pending_messages durable": {bus.GatewaysDurable("sign"), bus.GatewaysDurable("keygen"), bus.BulkDurable},
	}[metric+" "+label]
	for _, v := range values {
		if known != nil && !slices.Contains(known, v) {
			t.Errorf("%s: %s has no %s %q", r.name(), metric, label, v)
		}
	}
}

func names[S ~string](values []S) (out []string) {
	for _, v := range values {
		out = append(out, string(v))
	}
	return out
}

// listedMetrics are the metrics of docs/metrics.md with their labels.
func listedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string][]string{}
	for _, m := range regexp.MustCompile("`(frostfleet_\\w+)(?:\\{([^}]*)\\})?`").FindAllStringSubmatch(string(page), -1) {
		listed[m[1]] = append(listed[m[1]], token.FindAllString(m[2], -1)...)
		if listed[m[1]] == nil {
			listed[m[1]] = []string{}
		}
	}
	return listed
}

// base is the histogram of a name that is one of its series.
func base(listed map[string][]string, name string) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if short, ok := strings.CutSuffix(name, suffix); ok && listed[name] == nil {
			return short
		}
	}
	return name
}

// TestRunbook: each alert has what a pager shows and a section of the runbook
// that says what it means, what to look at and what to do; no section is left
// over; each alert has a unit test in which it fires.
func TestRunbook(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, path := range glob(t, "tests/*.yml") {
		text, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	sections := map[string]string{}
	for _, part := range regexp.MustCompile(`(?m)^#{2,4} `).Split(string(page), -1) {
		if title, text, _ := strings.Cut(part, "\n"); strings.HasPrefix(title, "Frostfleet") {
			sections[title] = text
		}
	}
	alerts := map[string]bool{}
	for _, r := range rules(t) {
		if r.alert == "" {
			continue
		}
		alerts[r.alert] = true
		if !strings.HasPrefix(r.alert, "Frostfleet") || r.severity != "page" && r.severity != "ticket" {
			t.Errorf("%s: severity %q: alerts are named Frostfleet... and are a page or a ticket", r.alert, r.severity)
		}
		if r.url != runbook+strings.ToLower(r.alert) || !strings.Contains(r.text, "summary:") ||
			!strings.Contains(r.text, "description:") {
			t.Errorf("%s: needs a summary, a description and runbook_url: %s", r.alert, runbook+strings.ToLower(r.alert))
		}
		for _, part := range []string{"**Means**", "**Look at**", "**Do**"} {
			if !strings.Contains(sections[r.alert], part) {
				t.Errorf("docs/operations.md, section %s: no %s", r.alert, part)
			}
		}
		fires := regexp.MustCompile(
			`alertname: ` + r.alert + `\n\s+exp_alerts:\n\s+- exp_labels: \{severity: ` + r.severity + `[,}]`,
		)
		if !fires.MatchString(tests.String()) {
			t.Errorf("%s, severity %s: no test in %s/tests in which it fires", r.alert, r.severity, folder)
		}
	}
	for title := range sections {
		if !alerts[title] {
			t.Errorf("docs/operations.md has the section %s, and no rule has such an alert", title)
		}
	}
	if len(alerts) < 20 {
		t.Errorf("found %d alerts: the search is broken", len(alerts))
	}
}
