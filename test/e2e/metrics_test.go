package e2e_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// docs/metrics.md lists what the programs export once they have worked, each
// metric at the programs that have it, and nothing else.
func TestMetricsAreListed(t *testing.T) {
	f := fleettest.StartProcesses(t, fleettest.Options{})
	c := f.Client()
	key := oneKey(t, c)
	if _, err := c.Sign(t.Context(), client.SignRequest{Items: []client.SignItem{message(key, 1)}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]map[string]bool{"worker": {}, "gateway": {}}
	rows := regexp.MustCompile("(?m)^\\| `(frostfleet_[a-z_]+)[^`]*` \\| ([a-z, ]+) \\|").FindAllStringSubmatch(string(text), -1)
	for _, row := range rows {
		for _, program := range strings.Split(row[2], ", ") {
			if listed[program] == nil {
				t.Fatalf("%s: no program %q", row[1], program)
			}
			listed[program][row[1]] = true
		}
	}
	var workers []string
	for i := range 3 { // who signed is decided by lot
		workers = append(workers, f.Metrics(i))
	}
	compare(t, "worker", listed["worker"], strings.Join(workers, "\n"))
	compare(t, "gateway", listed["gateway"], f.GatewayMetrics())
}

func compare(t *testing.T, program string, listed map[string]bool, scraped string) {
	t.Helper()
	exported := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (frostfleet_[a-z_]+) `).FindAllStringSubmatch(scraped, -1) {
		exported[m[1]] = true
	}
	if len(exported) == 0 {
		t.Fatalf("%s exports nothing", program)
	}
	for _, name := range slices.Sorted(maps.Keys(exported)) {
		if !listed[name] {
			t.Errorf("%s exports %s, which docs/metrics.md does not list for it", program, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		if !exported[name] {
			t.Errorf("docs/metrics.md lists %s for %s, which does not export it", name, program)
		}
	}
}
