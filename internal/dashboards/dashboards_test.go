package dashboards

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

var folder = filepath.Join(root, "configs", "grafana", "dashboards")

// TestFilesAreTheCodes: nobody edited a file, or forgot to write it.
func TestFilesAreTheCodes(t *testing.T) {
	var made []string
	for _, d := range All() {
		text, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(filepath.Join(folder, d.File()))
		if err != nil || !bytes.Equal(file, text) {
			t.Errorf("configs/grafana/dashboards/%s is not what the code makes (%v): make dashboards", d.File(), err)
		}
		made = append(made, filepath.Join(folder, d.File()))
	}
	found, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(made)
	if !slices.Equal(found, made) {
		t.Errorf("the folder has %v, and the code makes %v", found, made)
	}
}

func TestPanels(t *testing.T) {
	units := []string{"none", "s", "bytes", "percentunit", "reqps", "cps", "currencyUSD"} // of Grafana's, those in use
	uids := map[string]bool{}
	for _, d := range All() {
		if d.UID == "" || len(d.UID) > 40 || uids[d.UID] || d.Title == "" || d.Description == "" {
			t.Errorf("%q: no uid of its own of up to 40 characters, no title, or no description", d.UID)
		}
		uids[d.UID] = true
		ids, titles, cells := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if p.ID == 0 || ids[p.ID] {
				t.Errorf("%s, %s: the id %d is not its own", d.UID, p.Title, p.ID)
			}
			if p.Title == "" || titles[p.Title] {
				t.Errorf("%s: two panels are %q", d.UID, p.Title)
			}
			ids[p.ID], titles[p.Title] = true, true
			for x := p.Grid.X; x < p.Grid.X+p.Grid.W; x++ {
				for y := p.Grid.Y; y < p.Grid.Y+p.Grid.H; y++ {
					if other := cells[[2]int{x, y}]; other != "" || x < 0 || x >= columns {
						t.Fatalf("%s: %q is over %q or the page's edge", d.UID, p.Title, other)
					}
					cells[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			if p.Fields == nil || !slices.Contains(units, p.Fields.Defaults.Unit) {
				t.Errorf("%s, %s: no unit that the test knows", d.UID, p.Title)
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

// TestExemplars: who sees a slow job gets to its trace. No other metric has any.
func TestExemplars(t *testing.T) {
	for _, d := range All() {
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
