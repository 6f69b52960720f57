package dashboards

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

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
	for _, d := range All() {
		for _, p := range d.Panels {
			for _, link := range p.Links {
				linked[link.Title] = true
				if !alerts[link.Title] {
					t.Errorf("%s, %s: no rule has the alert %s", d.UID, p.Title, link.Title)
				}
				if page, section, _ := strings.Cut(link.URL, "#"); page != Runbook || !sections[section] {
					t.Errorf("%s, %s: docs/operations.md has no section of the link %s", d.UID, p.Title, link.URL)
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

// TestObjectives: the page and the alerts speak of the same objectives.
func TestObjectives(t *testing.T) {
	text := rules(t)
	for _, part := range []string{`code=~"` + fleetsFault + `"`, `code=~"done|` + fleetsFault + `"`, `le="0.25"`} {
		shown := false
		for _, p := range overview().Panels {
			for _, q := range p.Targets {
				shown = shown || strings.Contains(q.Expr, part)
			}
		}
		if !shown || !strings.Contains(text, part) {
			t.Errorf("%s is not both in the overview and in the alert rules", part)
		}
	}
}

// TestProvisioning: the files beside the dashboards say what the others do.
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
	if got, want := value(source, "timeInterval"), value(read("configs", "prometheus", "prometheus.yml"), "scrape_interval"); got != want {
		t.Errorf("the data source says that Prometheus scrapes every %s, and it does every %s", got, want)
	}
	if got := value(source, "- name: trace_id\n *url"); !strings.Contains(got, "$${__value.raw}") { // $$ is a $ in these files
		t.Errorf("traces are looked for at %s", got)
	}
	path := value(read("configs", "grafana", "provisioning", "dashboards", "frostfleet.yml"), "path")
	if !strings.Contains(read("docs", "monitoring.md"), path) {
		t.Errorf("docs/monitoring.md does not say what to put into %s", path)
	}
}
