package docs

import (
	"regexp"
	"strings"
	"testing"
)

// An operator copies Alertmanager's rule as it stands. Wrapped like prose it is no YAML.
func TestInhibitRule(t *testing.T) {
	_, block, found := strings.Cut(page(t, "operations.md"), "    inhibit_rules:\n")
	block, _, ended := strings.Cut(block, "\n\n")
	if !found || !ended {
		t.Fatal("operations.md has no inhibit_rules")
	}
	key := regexp.MustCompile(`\w+:`)
	for line := range strings.Lines(block) {
		unquoted := regexp.MustCompile(`'[^']*'|"[^"]*"`).ReplaceAllString(line, "")
		value := strings.TrimSpace(unquoted)
		if n := len(key.FindAllString(unquoted, -1)); n > 1 || n == 0 && !strings.HasPrefix(value, "-") {
			t.Errorf("no line of YAML: %q", line)
		}
	}
}
