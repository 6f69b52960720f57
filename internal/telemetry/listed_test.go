package telemetry

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryMetricIsListed: docs/metrics.md has what a program can export, with
// its labels, for its role. That programs do export what is listed there is
// what test/e2e shows.
func TestEveryMetricIsListed(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{} // labels, by role and metric
	for _, row := range regexp.MustCompile("(?m)^\\| `(frostfleet_[a-z_]+)([^`]*)` \\| ([a-z, ]+) \\|").FindAllStringSubmatch(string(text), -1) {
		labels := strings.Split(strings.Trim(row[2], "{}"), ",")
		slices.Sort(labels)
		for role := range strings.SplitSeq(row[3], ", ") {
			listed[role+" "+row[1]] = strings.Join(labels, ",")
		}
	}
	for _, of := range []Identity{worker0, gateway0} {
		m, r := full(t, of)
		if of.Role == RoleWorker {
			m.Keystore("metrics_test.go") // any file
		}
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		if len(families) < 30 {
			t.Errorf("%s: %d metrics: the search is broken", of.Role, len(families))
		}
		for _, f := range families {
			want, there := listed[of.Role+" "+f.GetName()]
			if !there {
				t.Errorf("docs/metrics.md does not list %s for a %s", f.GetName(), of.Role)
				continue
			}
			for _, metric := range f.GetMetric() {
				labels := []string{}
				for _, l := range metric.GetLabel() {
					labels = append(labels, l.GetName())
				}
				slices.Sort(labels)
				if got := strings.Join(labels, ","); got != want {
					t.Errorf("docs/metrics.md: %s has the labels %s, and not %s", f.GetName(), got, want)
				}
			}
		}
	}
}
