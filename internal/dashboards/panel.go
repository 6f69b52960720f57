package dashboards

// Colours, by what they say.
const (
	good  = "green"
	watch = "orange"
	bad   = "red"
)

// A figure is the number now. unit is one of Grafana's.
func figure(title, unit, help, legend, expr string) Panel {
	p := newPanel("stat", title, unit, help, 4, 4).and(legend, expr)
	p.Fields.Defaults.Color = map[string]any{"mode": "thresholds"}
	p.Options = map[string]any{
		"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		"colorMode":     "value", "graphMode": "area", "textMode": "auto", "justifyMode": "auto", "orientation": "auto",
	}
	return p.steps(good)
}

// lines draws values over time, a third of the page wide.
func lines(title, unit, help, legend, expr string) Panel {
	p := newPanel("timeseries", title, unit, help, 8, 8).and(legend, expr)
	p.Fields.Defaults.Color = map[string]any{"mode": "palette-classic"}
	p.Fields.Defaults.Min = new(float64)
	p.Fields.Defaults.Custom = map[string]any{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "auto", "spanNulls": false}
	p.Options = map[string]any{
		"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
		"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
	}
	return p
}

// bars draws what should be rare: each bar counts what happened in its time.
// Nothing at all reads as none, such as "no job failed".
func bars(title, help, none, legend, expr string) Panel {
	p := lines(title, "none", help, legend, expr).empty(none)
	p.Fields.Defaults.Custom = map[string]any{"drawStyle": "bars", "lineWidth": 1, "fillOpacity": 70, "showPoints": "never",
		"stacking": map[string]any{"mode": "normal", "group": "A"}}
	return p
}

// states draws a strip for each series: green 1, red 0, and words for them.
func states(title, help, legend, expr string, words ...word) Panel {
	p := newPanel("state-timeline", title, "none", help, 12, 8).and(legend, expr)
	options := map[string]any{}
	for i, w := range words {
		options[w.value] = map[string]any{"text": w.text, "color": w.color, "index": i}
	}
	p.Fields.Defaults.Mappings = []any{map[string]any{"type": "value", "options": options}}
	p.Fields.Defaults.Color = map[string]any{"mode": "thresholds"}
	p.Fields.Defaults.Custom = map[string]any{"fillOpacity": 80, "lineWidth": 0}
	p.Options = map[string]any{
		"mergeValues": true, "showValue": "never", "rowHeight": 0.9, "alignValue": "left",
		"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": false},
		"tooltip": map[string]any{"mode": "single"},
	}
	return p.steps(good)
}

// A word is what a value is called.
type word struct{ value, text, color string }

// heatmap draws a histogram's buckets over time.
func heatmap(title, help, expr string) Panel {
	p := newPanel("heatmap", title, "s", help, 12, 8).and("{{le}}", expr)
	p.Targets[0].Format = "heatmap"
	p.Options = map[string]any{
		"calculate": false, "cellGap": 1,
		"color":        map[string]any{"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange", "reverse": false},
		"exemplars":    map[string]any{"color": "rgba(0,0,255,0.7)"},
		"filterValues": map[string]any{"le": 1e-9},
		"legend":       map[string]any{"show": true},
		"rowsFrame":    map[string]any{"layout": "auto"},
		"tooltip":      map[string]any{"mode": "single", "yHistogram": false},
		"yAxis":        map[string]any{"axisPlacement": "left", "unit": "s", "reverse": false},
	}
	return p
}

// list is a table of label values: a line for each series there is now.
func list(title, help, expr string) Panel {
	p := newPanel("table", title, "none", help, 12, 8).and("", expr)
	p.Targets[0].Format, p.Targets[0].Range, p.Targets[0].Instant = "table", false, true
	p.Options = map[string]any{"showHeader": true, "cellHeight": "sm"}
	p.Transformations = []Transformation{{ID: "organize", Options: map[string]any{
		"excludeByName": map[string]any{"Time": true, "Value": true}, "indexByName": map[string]any{}, "renameByName": map[string]any{}}}}
	return p
}

// row heads the panels under it.
func row(title string) Panel { return Panel{Type: "row", Title: title, Grid: Grid{W: columns, H: 1}} }

func newPanel(kind, title, unit, help string, width, height int) Panel {
	return Panel{Type: kind, Title: title, Description: help, Grid: Grid{W: width, H: height},
		Datasource: &chosen, Fields: &Fields{Defaults: Field{Unit: unit}, Overrides: []any{}}}
}

// and adds a query.
func (p Panel) and(legend, expr string) Panel {
	p.Targets = append(p.Targets, Target{RefID: string(rune('A' + len(p.Targets))), Datasource: chosen, EditorMode: "code",
		Expr: expr, LegendFormat: legend, Format: "time_series", Range: true})
	return p
}

// exemplars shows single jobs with their trace as dots.
func (p Panel) exemplars() Panel {
	for i := range p.Targets {
		p.Targets[i].Exemplar = true
	}
	return p
}

// quantiles adds p50 and p99 of a histogram's classic buckets, which selector
// selects, with a line for each value of the label by ("": one line).
func (p Panel) quantiles(selector, by, legend string) Panel {
	return p.and("p50"+legend, quantile("0.5", selector, by)).and("p99"+legend, quantile("0.99", selector, by))
}

func quantile(q, selector, by string) string {
	if by != "" {
		by = ", " + by
	}
	return `histogram_quantile(` + q + `, sum by (le` + by + `) (rate(` + selector + `[$__rate_interval])))`
}

// mean of a histogram, which is exact where a quantile is a guess in a bucket.
func mean(histogram, labels, by string) string {
	part := func(name string) string {
		return `sum by (` + by + `) (rate(` + histogram + name + labels + `[$__rate_interval]))`
	}
	return part("_sum") + " / " + part("_count")
}

// latency is a panel of quantiles.
func latency(title, help, selector, by, legend string) Panel {
	p := lines(title, "s", help, "", "")
	p.Targets = nil
	return p.quantiles(selector, by, legend)
}

// steps colours values: the first colour, then from each value on another.
func (p Panel) steps(first string, then ...Step) Panel {
	p.Fields.Defaults.Thresholds = &Thresholds{Mode: "absolute", Steps: append([]Step{{Color: first}}, then...)}
	return p
}

func from(value float64, color string) Step { return Step{Color: color, Value: &value} }

// lined draws the steps into a panel of lines.
func (p Panel) lined(first string, then ...Step) Panel {
	p.Fields.Defaults.Custom["thresholdsStyle"] = map[string]any{"mode": "dashed"}
	return p.steps(first, then...)
}

// empty says what it means that there is no answer. Panels without it always
// have one in a fleet that works.
func (p Panel) empty(means string) Panel {
	p.Fields.Defaults.NoValue = means
	return p
}

// upTo gives the axis its end.
func (p Panel) upTo(value float64) Panel {
	p.Fields.Defaults.Max = &value
	return p
}

// size in columns of 24 and rows.
func (p Panel) size(width, height int) Panel {
	p.Grid.W, p.Grid.H = width, height
	return p
}

// alert links to the runbook's section of an alert.
func (p Panel) alert(names ...string) Panel {
	for _, name := range names {
		p.Links = append(p.Links, Link{Title: name, URL: Runbook + "#" + anchor(name), TargetBlank: true})
	}
	return p
}

// bothWays lets the axis go below 0.
func (p Panel) bothWays() Panel {
	p.Fields.Defaults.Min = nil
	return p
}

// decimals to show.
func (p Panel) decimals(n int) Panel {
	p.Fields.Defaults.Decimals = &n
	return p
}
