package chaos

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestPage: docs/reliability.md has every fault and every figure, with its goal.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, f := range faults {
		if !strings.Contains(page, fmt.Sprintf("\n| `%s` | ", f.name)) {
			t.Errorf("no row for the fault %s", f.name)
		}
	}
	for _, s := range scenarios {
		for _, g := range s.goals {
			row := fmt.Sprintf("\n| %s | ", g.name)
			_, rest, ok := strings.Cut(page, row)
			line, _, _ := strings.Cut(rest, "\n")
			if want := fmt.Sprintf(" | %s %s |", g, g.unit); !ok || !strings.HasSuffix(line, want) {
				t.Errorf("no row%s...%s", row[1:], want)
			}
		}
	}
}
