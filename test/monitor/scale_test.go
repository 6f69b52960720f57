package monitor

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestFaster(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"interval", "  scrape_interval: 15s # why", "  scrape_interval: 1000ms # why"},
		{"group's interval", "    interval: 30s", "    interval: 2000ms"},
		{"timeout", "scrape_timeout: 10s", "scrape_timeout: 666ms"},
		{"for", "        for: 2m\n        labels:", "        for: 8000ms\n        labels:"},
		{"keep firing", "keep_firing_for: 1m30s", "keep_firing_for: 6000ms"},
		{"none", "for: 0s", "for: 1ms"},
		{"range", "rate(x[5m]) > 0.5", "rate(x[20000ms]) > 0.5"},
		{"subquery", "max_over_time(x[1h:15s])", "max_over_time(x[240000ms:1000ms])"},
		{"subquery of the default step", "max_over_time(x[1h:])", "max_over_time(x[240000ms:])"},
		{"days", "increase(x[3d])", "increase(x[17280000ms])"},
		{"offset", "x offset 5m", "x offset 20000ms"},
		{
			"prediction",
			"predict_linear(x{a=\"b,(\"}[6h], 4 * 3600) < 0",
			"predict_linear(x{a=\"b,(\"}[1440000ms], (4 * 3600) / 15) < 0",
		},
		{"two predictions", "predict_linear(x[1h], 60) - predict_linear((y)[1h:15s], (60))",
			"predict_linear(x[240000ms], (60) / 15) - predict_linear((y)[240000ms:1000ms], ((60)) / 15)"},
		{"seconds that pass for others too", "expires - time() < 14 * 86400", "expires - time() < 14 * 86400"},
		{"name", "record: node:sign_seconds:p99_5m", "record: node:sign_seconds:p99_5m"},
		{"label", "severity: page # within 5m", "severity: page # within 5m"},
		{"text", "description: slow for 10m, see the page", "description: slow for 10m, see the page"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Faster(tt.in, 15)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
			if same, err := Faster(tt.in, 1); err != nil || same != tt.in {
				t.Errorf("a factor of one gives %q, %v", same, err)
			}
		})
	}
	for _, bad := range []string{"predict_linear(x[1h], 60", "predict_linear(x)"} {
		if got, err := Faster(bad, 15); err == nil {
			t.Errorf("%q gives %q, want an error", bad, got)
		}
	}
	if _, err := Faster("", 0); err == nil {
		t.Error("a factor of nothing is taken")
	}
}

// Every time in the fleet's own files is one that Faster finds: none is left
// over in a form that it does not know.
func TestFasterKnowsEveryTime(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(configs, "rules", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d rule files, %v", len(files), err)
	}
	comment := regexp.MustCompile(`(?m)(^|\s)#.*$`)
	prose := regexp.MustCompile(`(?m)^\s*(summary|description|runbook_url):.*(\n\s{10,}.*)*`)
	for _, file := range append(files, filepath.Join(configs, configFile)) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bare := prose.ReplaceAllString(comment.ReplaceAllString(string(text), ""), "")
		known := 0
		for _, place := range places {
			known += len(span.FindAllString(strings.Join(place.FindAllString(bare, -1), " "), -1))
		}
		if all := len(span.FindAllString(bare, -1)); known != all || known == 0 {
			t.Errorf("%s has %d times and Faster finds %d", file, all, known)
		}
	}
}
