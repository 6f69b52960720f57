// Package dashboards reads the Grafana dashboards of configs/grafana/dashboards
// for tests.
//
// The JSON files are the source. The tests of this package look up every metric
// and label in docs/metrics.md, have Prometheus parse every expression, and check
// what Grafana does not: the grid, the units, the links to the runbook, and what
// all pages have in common. test/monitor runs every query against a fleet.
//
// A page leads from whether anybody is affected to why: now, traffic, latency,
// errors, saturation, cost. Expressions use classic buckets only, as Prometheus 2
// scrapes no others unless it is told to.
package dashboards

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// What the tests read of Grafana's dashboard JSON.
type (
	// A Dashboard is one page, and one file.
	Dashboard struct {
		File          string          `json:"-"` // its base name
		UID           string          `json:"uid"`
		Title         string          `json:"title"`
		Description   string          `json:"description"`
		SchemaVersion int             `json:"schemaVersion"`
		Editable      bool            `json:"editable"`
		Timezone      string          `json:"timezone"`
		Refresh       string          `json:"refresh"`
		GraphTooltip  int             `json:"graphTooltip"` // 1: one cross-hair in all panels
		Tags          []string        `json:"tags"`
		Time          json.RawMessage `json:"time"` // what the page shows when it is opened
		Links         json.RawMessage `json:"links"`
		Templating    struct {
			List []Variable `json:"list"`
		} `json:"templating"`
		Annotations struct {
			List []Annotation `json:"list"`
		} `json:"annotations"`
		Panels []Panel `json:"panels"`
	}

	// A Variable is chosen at the head of the page.
	Variable struct {
		Name       string      `json:"name"`
		Type       string      `json:"type"`
		Datasource *Datasource `json:"datasource"`
		Definition string      `json:"definition"`
	}

	// A Datasource is where a query goes.
	Datasource struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	}

	// An Annotation is a query whose points are lines across every panel.
	Annotation struct {
		Name       string     `json:"name"`
		Datasource Datasource `json:"datasource"`
		Expr       string     `json:"expr"`
	}

	// A Panel is a picture, or a row's head.
	Panel struct {
		ID          int                      `json:"id"`
		Type        string                   `json:"type"`
		Title       string                   `json:"title"`
		Description string                   `json:"description"`
		Grid        struct{ H, W, X, Y int } `json:"gridPos"`
		Datasource  *Datasource              `json:"datasource"`
		Links       []struct {
			Title string `json:"title"`
			URL   string `json:"url"`
		} `json:"links"`
		Fields *struct {
			Defaults struct {
				Unit    string `json:"unit"`
				NoValue string `json:"noValue"` // shown if the answer is empty
			} `json:"defaults"`
		} `json:"fieldConfig"`
		Targets []Target `json:"targets"`
	}

	// A Target is one query of a panel.
	Target struct {
		RefID        string     `json:"refId"`
		Datasource   Datasource `json:"datasource"`
		Expr         string     `json:"expr"`
		LegendFormat string     `json:"legendFormat"`
		Exemplar     bool       `json:"exemplar"`
	}
)

// Load reads the files of a directory.
func Load(dir string) ([]Dashboard, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("%s has no dashboards", dir)
	}
	var all []Dashboard
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		d := Dashboard{File: filepath.Base(name)}
		if err := json.Unmarshal(text, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, d)
	}
	return all, nil
}
