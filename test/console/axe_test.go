package console_test

import (
	"os"
	"path/filepath"
	"testing"
)

// axe is the program of the package axe-core, from $FROSTFLEET_NODE/console or from here.
func axe(t *testing.T) string {
	t.Helper()
	folder := "."
	if named := os.Getenv("FROSTFLEET_NODE"); named != "" {
		folder = filepath.Join(named, "console")
	}
	text, err := os.ReadFile(filepath.Join(folder, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("%v\nrun npm ci --prefix test/console (or name the folder that has console/node_modules in "+
			"FROSTFLEET_NODE)", err)
	}
	return string(text)
}

// inspect has axe judge the page: by WCAG 2.2 A and AA, and its own best practices. What is
// serious or critical is an error.
func (b *tab) inspect(script string) {
	b.Helper()
	if !value[bool](b, `'axe' in window`) {
		value[bool](b, script+"; true")
	}
	found := value[[]struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}](b, `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)`)
	for _, v := range found {
		for _, n := range v.Nodes {
			if v.Impact == "serious" || v.Impact == "critical" {
				b.Errorf("%s: %s (%s): %s\n%s", value[string](b, `location.hash`), v.ID, v.Impact, n.HTML, n.FailureSummary)
			} else {
				b.Logf("%s: %s (%s): %s", value[string](b, `location.hash`), v.ID, v.Impact, n.HTML)
			}
		}
	}
}
