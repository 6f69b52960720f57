package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rule is one of configs/prometheus/rules.
type rule struct {
	record, alert string
	expr          string
	severity, url string
	text          string // labels and annotations
}

func (r rule) name() string { return r.record + r.alert }

// rules reads every rule. The files are written in one form, which promtool
// has checked to be YAML; that is enough to read them line by line.
func rules(t *testing.T) (found []rule) {
	t.Helper()
	for _, path := range glob(t, "rules/*.yml") {
		text, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			t.Fatal(err)
		}
		var r *rule
		inExpr := false
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			value = strings.TrimSpace(value)
			indent := len(line) - len(strings.TrimLeft(line, " "))
			switch {
			case strings.HasPrefix(strings.TrimSpace(line), "#"):
			case indent == 6 && (key == "- record" || key == "- alert"):
				found = append(found, rule{})
				r, inExpr = &found[len(found)-1], false
				if r.record = value; key == "- alert" {
					r.record, r.alert = "", value
				}
			case indent <= 6:
				r = nil
			case r == nil:
			case indent == 8 && key == "expr":
				r.expr, inExpr = strings.TrimPrefix(value, "|"), true
			case indent > 8 && inExpr:
				r.expr += line
			default:
				inExpr = false
				r.text += line
				switch key {
				case "labels":
					r.severity = strings.TrimSuffix(strings.TrimPrefix(value, "{severity: "), "}")
				case "runbook_url":
					r.url = value
				}
			}
		}
	}
	return found
}
