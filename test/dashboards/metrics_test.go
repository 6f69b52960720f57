package dashboards

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A metric as docs/metrics.md lists it.
type metric struct{ labels []string }

var (
	listing  = regexp.MustCompile("`(frostfleet_[a-z_]+)(?:\\{([a-z_,]*)\\})?`")
	selector = regexp.MustCompile(`\b(frostfleet_[a-z_]+|ALERTS|up|process_[a-z_]+|go_[a-z_]+)(\{[^}]*\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping = regexp.MustCompile(`\b(?:by|on|group_left) \(([^)]*)\)`)
)

// listed reads the first cells of the table.
func listed(t *testing.T) map[string]metric {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	metrics := map[string]metric{}
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.SplitN(line, "|", 3)
		if len(cells) < 3 || strings.TrimSpace(cells[0]) != "" {
			continue
		}
		for _, m := range listing.FindAllStringSubmatch(cells[1], -1) {
			metrics[m[1]] = metric{strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })}
		}
	}
	if len(metrics) < 15 {
		t.Fatalf("found %d metrics in docs/metrics.md: the search is broken", len(metrics))
	}
	return metrics
}

// TestMetricsExist: each metric of an expression, and each label, is in
// docs/metrics.md, and each selector is of the chosen fleet.
func TestMetricsExist(t *testing.T) {
	metrics := listed(t)
	everybodys := []string{"fleet", "node", "role", "job", "instance", "le", "alertname", "alertstate", "severity"}
	var labels []string
	for _, m := range metrics {
		labels = append(labels, m.labels...)
	}
	labels = append(labels, everybodys...)
	for _, d := range load(t) {
		for _, q := range d.Queries(Values{Fleet: "main"}) {
			where := q.Dashboard + ", " + q.Panel
			for _, s := range selector.FindAllStringSubmatch(q.Expr, -1) {
				name, own := s[1], everybodys
				if strings.HasPrefix(name, "frostfleet_") {
					m, ok := metrics[name]
					for _, part := range []string{"_bucket", "_sum", "_count"} {
						if base, cut := strings.CutSuffix(name, part); cut && !ok {
							m, ok = metrics[base]
						}
					}
					if !ok {
						t.Errorf("%s: docs/metrics.md does not list %s", where, name)
					}
					own = slices.Concat(everybodys, m.labels)
				} else if name != "ALERTS" && !strings.Contains(s[2], `job="frostfleet"`) {
					t.Errorf("%s: %s is of everybody's programs: job=\"frostfleet\" is missing", where, name)
				}
				ofFleet := strings.Contains(s[2], `fleet="main"`) || strings.Contains(s[2], `fleet=~"|main"`)
				if !ofFleet && q.Panel != "variable fleet" {
					t.Errorf("%s: %s is of every fleet", where, name)
				}
				for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
					if !slices.Contains(own, m[1]) {
						t.Errorf("%s: %s has no label %s", where, name, m[1])
					}
				}
			}
			for _, g := range grouping.FindAllStringSubmatch(q.Expr, -1) {
				for _, label := range strings.Split(g[1], ", ") {
					if label != "" && !slices.Contains(labels, label) {
						t.Errorf("%s: nothing has a label %s", where, label)
					}
				}
			}
		}
	}
}
