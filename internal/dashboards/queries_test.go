package dashboards

import (
	"slices"
	"testing"
	"time"
)

func TestQueries(t *testing.T) {
	d := page("x", "X", "", `fleet="$fleet"`, row("R"),
		lines("A", "s", "", "{{node}}", `rate(m{fleet="$fleet", node=~"$node"}[$__rate_interval])`).empty("nothing"),
		figure("B", "s", "", "", `increase(m{fleet="$fleet"}[$__range])`).and("second", "m"))
	for _, c := range []struct {
		name   string
		values Values
		want   []Query
	}{
		{"one node", Values{Fleet: "main", Node: "worker-0|worker-1", Rate: 1500 * time.Millisecond, Range: time.Hour}, []Query{
			{"x", "variable fleet", "", `group by (fleet) (frostfleet_info)`, ""},
			{"x", "variable node", "", `group by (node) (frostfleet_info{fleet="main"})`, ""},
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
			if len(got) != 7 { // two variables, two annotations, three of panels
				t.Errorf("%d queries", len(got))
			}
		})
	}
}
