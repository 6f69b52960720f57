package dashboards

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

var folder = filepath.Join(root, "configs", "grafana", "dashboards")

// load reads the dashboards of the repository.
func load(t *testing.T) []Dashboard {
	t.Helper()
	all, err := Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 {
		t.Fatalf("%d dashboards", len(all))
	}
	return all
}

// TestPagesAlike: every page has the same time span, variables, annotations and links, and
// asks the data source that is chosen at its head.
func TestPagesAlike(t *testing.T) {
	chosen := Datasource{Type: "prometheus", UID: "${datasource}"}
	var first Dashboard
	for i, d := range load(t) {
		if d.File != d.UID+".json" || d.SchemaVersion != 39 || d.Editable {
			t.Errorf("%s: uid %q, schema version %d (Grafana 10.4: 39), editable %t",
				d.File, d.UID, d.SchemaVersion, d.Editable)
		}
		for j, v := range d.Templating.List {
			if j > 0 && (v.Datasource == nil || *v.Datasource != chosen) {
				t.Errorf("%s: the variable %s does not ask the chosen data source", d.File, v.Name)
			}
			if v.Name == "node" {
				d.Templating.List[j].Definition = "" // which programs a page offers is its own
			}
		}
		for _, p := range d.Panels {
			if p.Type != "row" && (p.Datasource == nil || *p.Datasource != chosen) {
				t.Errorf("%s, %s: another data source than the chosen one", d.File, p.Title)
			}
			for _, q := range p.Targets {
				if q.Datasource != chosen {
					t.Errorf("%s, %s, %s: another data source than the chosen one", d.File, p.Title, q.RefID)
				}
			}
		}
		if i == 0 {
			first = d
		}
		if got, want := head(d), head(first); !reflect.DeepEqual(got, want) {
			t.Errorf("%s and %s differ in more than titles and panels:\n%+v\n%+v", d.File, first.File, got, want)
		}
	}
	if v := first.Templating.List; len(v) != 3 || v[0].Type != "datasource" || v[0].Name != "datasource" {
		t.Errorf("variables %+v: datasource, fleet and node", v)
	}
	if marks := first.Annotations.List; len(marks) != 2 || marks[0].Datasource != chosen || marks[1].Datasource != chosen {
		t.Errorf("annotations %+v: alerts and starts, from the chosen data source", marks)
	}
}

// head is a page without what is its own.
func head(d Dashboard) Dashboard {
	d.File, d.UID, d.Title, d.Description, d.Panels = "", "", "", "", nil
	return d
}

func TestPanels(t *testing.T) {
	units := []string{"none", "s", "bytes", "percentunit", "reqps", "cps", "currencyUSD"} // Grafana's, as far as in use
	uids := map[string]bool{}
	for _, d := range load(t) {
		if d.UID == "" || len(d.UID) > 40 || uids[d.UID] || d.Title == "" || d.Description == "" {
			t.Errorf("%q: no unique uid of up to 40 characters, no title, or no description", d.UID)
		}
		uids[d.UID] = true
		ids, titles, cells := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if p.ID == 0 || ids[p.ID] {
				t.Errorf("%s, %s: the id %d is not unique", d.UID, p.Title, p.ID)
			}
			if p.Title == "" || titles[p.Title] {
				t.Errorf("%s: two panels are %q", d.UID, p.Title)
			}
			ids[p.ID], titles[p.Title] = true, true
			for x := p.Grid.X; x < p.Grid.X+p.Grid.W; x++ {
				for y := p.Grid.Y; y < p.Grid.Y+p.Grid.H; y++ {
					if other := cells[[2]int{x, y}]; other != "" || x < 0 || x >= 24 {
						t.Fatalf("%s: %q overlaps %q or the edge of the page", d.UID, p.Title, other)
					}
					cells[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			if p.Fields == nil || !slices.Contains(units, p.Fields.Defaults.Unit) {
				t.Errorf("%s, %s: no unit, or one that the other panels don't use", d.UID, p.Title)
			}
			if len(p.Description) < 20 || !strings.HasSuffix(p.Description, ".") {
				t.Errorf("%s, %s: the description says nothing: %q", d.UID, p.Title, p.Description)
			}
			if len(p.Targets) == 0 {
				t.Errorf("%s, %s: no query", d.UID, p.Title)
			}
			for _, q := range p.Targets {
				quantiles := strings.HasPrefix(q.Expr, "histogram_quantile(") && strings.Contains(q.Expr, "_seconds_bucket")
				if quantiles && p.Fields.Defaults.Unit != "s" {
					t.Errorf("%s, %s: a latency in %s", d.UID, p.Title, p.Fields.Defaults.Unit)
				}
			}
		}
	}
}

// TestExemplars: a slow job in a panel leads to its trace. No other metric has exemplars.
func TestExemplars(t *testing.T) {
	for _, d := range load(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				want := strings.Contains(q.Expr, "frostfleet_job_seconds_bucket") && p.Type != "stat"
				if q.Exemplar != want {
					t.Errorf("%s, %s: exemplars: %t, want %t", d.UID, p.Title, q.Exemplar, want)
				}
			}
		}
	}
}
