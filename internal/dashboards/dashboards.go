// Package dashboards makes the Grafana dashboards of a fleet: overview, node,
// key provider and bus.
//
// They are written here, and not clicked together, so that a metric that is
// renamed breaks a test and not a picture: every name is looked up in
// docs/metrics.md, every expression is parsed by Prometheus, and every query is
// run against a fleet (test/monitor). `make dashboards` writes the files of
// configs/grafana/dashboards; a test fails if they are not what the code makes.
//
// A page goes from the question of whether anybody is hurt to the one of why:
// now, traffic, latency, errors, saturation, cost. Expressions use classic
// buckets only, as Prometheus 2 scrapes no others unless it is told to.
package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Runbook is where the sections of the alerts are. Whoever keeps a copy of the
// documents elsewhere changes it here and in the alert rules.
const Runbook = "https://github.com/frostfleet/frostfleet/blob/main/docs/operations.md"

// columns is how wide Grafana's grid is.
const columns = 24

// tag joins the pages: each links to all that have it.
const tag = "frostfleet"

// chosen is the data source that the page's variable says.
var chosen = Datasource{Type: "prometheus", UID: "${datasource}"}

// All makes every dashboard.
func All() []Dashboard { return []Dashboard{overview(), node(), provider(), bus()} }

// Write makes the files in a directory that exists.
func Write(dir string) error {
	for _, d := range All() {
		text, err := d.Encode()
		if err != nil {
			return fmt.Errorf("dashboard %s: %w", d.UID, err)
		}
		if err := os.WriteFile(filepath.Join(dir, d.File()), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Load reads the files of a directory.
func Load(dir string) ([]Dashboard, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("%s has no dashboards: make dashboards", dir)
	}
	var all []Dashboard
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var d Dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// File is the dashboard's name in configs/grafana/dashboards.
func (d Dashboard) File() string { return d.UID + ".json" }

// Encode gives the file's text.
func (d Dashboard) Encode() ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(d)
	return text.Bytes(), err
}

// page makes a dashboard of rows and panels, in reading order. nodes selects
// the info series of the programs that the variable node offers.
func page(uid, title, help, nodes string, panels ...Panel) Dashboard {
	return Dashboard{
		UID: uid, Title: title, Description: help, Tags: []string{tag},
		SchemaVersion: 39, Version: 1, Timezone: "utc", GraphTooltip: 1, Refresh: "30s", Time: Span{"now-1h", "now"},
		Links: []Link{
			{Title: "Frostfleet", Type: "dashboards", Tags: []string{tag}, IncludeVars: true, KeepTime: true},
			{Title: "Runbook", Type: "link", URL: Runbook, TargetBlank: true},
		},
		Templating: Templating{[]Variable{
			{Name: "datasource", Label: "Prometheus", Type: "datasource", Query: "prometheus", Refresh: 1, Current: map[string]any{}},
			variable("fleet", "Fleet", `label_values(frostfleet_info, fleet)`),
			variable("node", "Node", `label_values(frostfleet_info{`+nodes+`}, node)`).all(),
		}},
		Annotations: Marks{[]Mark{
			{Name: "Alerts", Datasource: chosen, Enable: true, IconColor: bad, Step: "60s", TitleFormat: "{{alertname}}", TextFormat: "{{severity}} {{node}}",
				Expr: `ALERTS{alertname=~"Frostfleet.*", alertstate="firing", fleet=~"|$fleet"}`},
			{Name: "Starts", Datasource: chosen, Enable: true, IconColor: "blue", Step: "60s", TitleFormat: "{{node}} started", UseValueForTime: "on",
				Expr: `process_start_time_seconds{job="frostfleet", fleet="$fleet", node=~"$node"} * 1000`},
		}},
		Panels: layOut(panels),
	}
}

func variable(name, label, query string) Variable {
	return Variable{Name: name, Label: label, Type: "query", Datasource: &chosen, Query: VariableQuery{query, name}, Definition: query,
		Refresh: 2, Sort: 1, Current: map[string]any{}}
}

// all offers several values and, to begin with, every one.
func (v Variable) all() Variable {
	v.Multi, v.IncludeAll, v.AllValue = true, true, ".+"
	v.Current = map[string]any{"text": []string{"All"}, "value": []string{"$__all"}}
	return v
}

// layOut numbers the panels and sets them from left to right, a new line
// where one does not fit. A line is as high as its highest.
func layOut(panels []Panel) []Panel {
	x, y, height := 0, 0, 0
	for i := range panels {
		g := &panels[i].Grid
		if x+g.W > columns {
			x, y, height = 0, y+height, 0
		}
		panels[i].ID, g.X, g.Y = i+1, x, y
		x, height = x+g.W, max(height, g.H)
	}
	return panels
}

// under is a page's rows, each with its panels.
func under(rows ...[]Panel) []Panel { return slices.Concat(rows...) }

// anchor is a heading's, as GitHub makes it.
func anchor(heading string) string {
	return strings.ReplaceAll(strings.ToLower(heading), " ", "-")
}
