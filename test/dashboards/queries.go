package dashboards

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A Query is what a dashboard asks, ready for Prometheus.
type Query struct {
	Dashboard string // its uid
	Panel     string // its title; "variable NAME" and "annotation NAME" for those
	Legend    string
	Expr      string
	Empty     string // what an empty answer means; "" if there has to be one
}

// Values take the place of a dashboard's variables.
type Values struct {
	Fleet string        // a name
	Node  string        // a regular expression; "": all
	Rate  time.Duration // $__rate_interval: four times the scrape interval, or more
	Range time.Duration // $__range: all that the page shows
}

// Queries lists what the dashboard asks: variables, annotations, panels.
func (d Dashboard) Queries(v Values) []Query {
	var all []Query
	add := func(panel, legend, expr, empty string) {
		all = append(all, Query{Dashboard: d.UID, Panel: panel, Legend: legend, Expr: v.into(expr), Empty: empty})
	}
	for _, variable := range d.Templating.List {
		if expr, ok := series(variable.Definition); ok {
			add("variable "+variable.Name, "", expr, "")
		}
	}
	for _, mark := range d.Annotations.List {
		add("annotation "+mark.Name, "", mark.Expr, "nothing happened")
	}
	for _, p := range d.Panels {
		for _, t := range p.Targets {
			empty := ""
			if p.Fields != nil {
				empty = p.Fields.Defaults.NoValue
			}
			add(p.Title, t.LegendFormat, t.Expr, empty)
		}
	}
	return all
}

var labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

// series turns a variable's definition, which is Grafana's, into a query for Prometheus.
func series(definition string) (string, bool) {
	m := labelValues.FindStringSubmatch(definition)
	if m == nil {
		return "", false
	}
	return "group by (" + m[2] + ") (" + m[1] + ")", true
}

func (v Values) into(expr string) string {
	node := v.Node
	if node == "" {
		node = ".+"
	}
	return strings.NewReplacer(
		"$fleet", v.Fleet,
		"$node", node,
		"$__rate_interval", length(v.Rate),
		"$__range", length(v.Range),
	).Replace(expr)
}

// length is a duration as Prometheus writes it.
func length(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }
