package dashboards

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

const page = `{
  "uid": "x",
  "templating": {"list": [
    {"name": "datasource", "type": "datasource"},
    {"name": "node", "type": "query", "definition": "label_values(frostfleet_info{fleet=\"$fleet\"}, node)"}
  ]},
  "annotations": {"list": [{"name": "Alerts", "expr": "ALERTS{fleet=\"$fleet\"}"}]},
  "panels": [
    {"title": "R", "type": "row"},
    {
      "title": "A",
      "fieldConfig": {"defaults": {"unit": "s", "noValue": "nothing"}},
      "targets": [{"expr": "rate(m{fleet=\"$fleet\", node=~\"$node\"}[$__rate_interval])", "legendFormat": "{{node}}"}]
    },
    {
      "title": "B",
      "targets": [{"expr": "increase(m{fleet=\"$fleet\"}[$__range])"}, {"expr": "m", "legendFormat": "second"}]
    }
  ]
}`

func TestQueries(t *testing.T) {
	var d Dashboard
	if err := json.Unmarshal([]byte(page), &d); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		values Values
		want   []Query
	}{
		{"two nodes", Values{"main", "worker-0|worker-1", 1500 * time.Millisecond, time.Hour}, []Query{
			{"x", "variable node", "", `group by (node) (frostfleet_info{fleet="main"})`, ""},
			{"x", "annotation Alerts", "", `ALERTS{fleet="main"}`, "nothing happened"},
			{"x", "A", "{{node}}", `rate(m{fleet="main", node=~"worker-0|worker-1"}[1500ms])`, "nothing"},
			{"x", "B", "", `increase(m{fleet="main"}[3600000ms])`, ""},
			{"x", "B", "second", "m", ""},
		}},
		{"all", Values{Fleet: "f", Rate: time.Minute, Range: time.Hour}, []Query{
			{"x", "A", "{{node}}", `rate(m{fleet="f", node=~".+"}[60000ms])`, "nothing"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := d.Queries(c.values)
			for _, want := range c.want {
				if !slices.Contains(got, want) {
					t.Errorf("%+v is not in %+v", want, got)
				}
			}
			if len(got) != 5 { // a variable, an annotation, three of panels
				t.Errorf("%d queries", len(got))
			}
		})
	}
}
