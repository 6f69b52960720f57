package dashboards

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// runbook has a section for each alert.
const runbook = "https://github.com/frostfleet/frostfleet/blob/main/docs/operations.md"

// anchor is a heading's, as GitHub makes it.
func anchor(heading string) string { return strings.ReplaceAll(strings.ToLower(heading), " ", "-") }

// TestAlertLinks: every alert has a panel that shows what it is about and links
// to its section of the runbook, and no panel links to another.
func TestAlertLinks(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections, alerts, linked := map[string]bool{}, alerts(t), map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
		sections[anchor(heading[1])] = true
	}
	for _, d := range load(t) {
		for _, p := range d.Panels {
			for _, link := range p.Links {
				linked[link.Title] = true
				if !alerts[link.Title] {
					t.Errorf("%s, %s: no rule has the alert %s", d.UID, p.Title, link.Title)
				}
				page, section, _ := strings.Cut(link.URL, "#")
				if page != runbook || section != anchor(link.Title) || !sections[section] {
					t.Errorf("%s, %s: %s links to %s, not to its section of docs/operations.md", d.UID, p.Title, link.Title, link.URL)
				}
			}
		}
	}
	for name := range alerts {
		if !linked[name] {
			t.Errorf("no panel shows what %s is about: give one a link to it", name)
		}
	}
}

// alerts are the names in the rules.
func alerts(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s*- alert: (\w+)$`).FindAllStringSubmatch(rules(t), -1) {
		names[m[1]] = true
	}
	if len(names) < 15 {
		t.Fatalf("found %d alerts: the search is broken", len(names))
	}
	return names
}

// rules is the text of all rule files.
func rules(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "configs", "prometheus", "rules", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// fleetsFault are the codes of sign jobs that count against the objective.
const fleetsFault = "signing_failed|poison|internal"

// TestObjectives: the overview and the alerts have the same objectives.
func TestObjectives(t *testing.T) {
	text := rules(t)
	pages := load(t)
	overview := pages[slices.IndexFunc(pages, func(d Dashboard) bool { return d.UID == "frostfleet-fleet" })]
	for _, part := range []string{`code=~"` + fleetsFault + `"`, `code=~"done|` + fleetsFault + `"`, `le="0.25"`} {
		shown := false
		for _, p := range overview.Panels {
			for _, q := range p.Targets {
				shown = shown || strings.Contains(q.Expr, part)
			}
		}
		if !shown || !strings.Contains(text, part) {
			t.Errorf("%s is not both in the overview and in the alert rules", part)
		}
	}
}

// TestProvisioning: the files that provision Grafana agree with Prometheus's and with the documentation.
func TestProvisioning(t *testing.T) {
	read := func(path ...string) string {
		text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	value := func(text, key string) string {
		m := regexp.MustCompile(`(?m)^[ -]*` + key + `: *(\S+)`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no %s", key)
		}
		return m[1]
	}
	source := read("configs", "grafana", "provisioning", "datasources", "frostfleet.yml")
	want := value(read("configs", "prometheus", "prometheus.yml"), "scrape_interval")
	if got := value(source, "timeInterval"); got != want {
		t.Errorf("the data source says that Prometheus scrapes every %s, but it scrapes every %s", got, want)
	}
	// $$ is a $ in these files.
	if got := value(source, "- name: trace_id\n *url"); !strings.Contains(got, "$${__value.raw}") {
		t.Errorf("traces are looked for at %s", got)
	}
	path := value(read("configs", "grafana", "provisioning", "dashboards", "frostfleet.yml"), "path")
	if !strings.Contains(read("docs", "monitoring.md"), path) {
		t.Errorf("docs/monitoring.md does not say what to put into %s", path)
	}
}
