package dashboards

// What Grafana reads, as far as it is used here: the dashboard JSON of
// schema version 39, which is that of Grafana 10.4 and which later ones read.
type (
	// A Dashboard is one page, and one file.
	Dashboard struct {
		UID           string     `json:"uid"`
		Title         string     `json:"title"`
		Description   string     `json:"description"`
		Tags          []string   `json:"tags"`
		SchemaVersion int        `json:"schemaVersion"`
		Version       int        `json:"version"`
		Editable      bool       `json:"editable"`
		Timezone      string     `json:"timezone"`
		GraphTooltip  int        `json:"graphTooltip"` // 1: one cross-hair in all panels
		Refresh       string     `json:"refresh"`
		Time          Span       `json:"time"`
		Links         []Link     `json:"links"`
		Templating    Templating `json:"templating"`
		Annotations   Marks      `json:"annotations"`
		Panels        []Panel    `json:"panels"`
	}

	// Span is what the page shows when it is opened.
	Span struct {
		From string `json:"from"`
		To   string `json:"to"`
	}

	// A Link is one of a page's, or of a panel's.
	Link struct {
		Title       string   `json:"title"`
		Type        string   `json:"type,omitempty"` // of a page's: dashboards, link
		URL         string   `json:"url,omitempty"`
		Tags        []string `json:"tags,omitempty"`
		IncludeVars bool     `json:"includeVars,omitempty"`
		KeepTime    bool     `json:"keepTime,omitempty"`
		TargetBlank bool     `json:"targetBlank,omitempty"`
	}

	// Templating holds the variables.
	Templating struct {
		List []Variable `json:"list"`
	}

	// A Variable is chosen at the head of the page.
	Variable struct {
		Name       string         `json:"name"`
		Label      string         `json:"label"`
		Type       string         `json:"type"` // datasource, query
		Datasource *Datasource    `json:"datasource,omitempty"`
		Query      any            `json:"query"` // a kind of data source, or a VariableQuery
		Definition string         `json:"definition,omitempty"`
		Refresh    int            `json:"refresh"` // 1: on load, 2: when the time changes
		Sort       int            `json:"sort,omitempty"`
		Multi      bool           `json:"multi"`
		IncludeAll bool           `json:"includeAll"`
		AllValue   string         `json:"allValue,omitempty"`
		Current    map[string]any `json:"current"`
	}

	// VariableQuery asks for the values of a variable.
	VariableQuery struct {
		Query string `json:"query"`
		RefID string `json:"refId"`
	}

	// Datasource is where a query goes.
	Datasource struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	}

	// Marks are the annotations.
	Marks struct {
		List []Mark `json:"list"`
	}

	// A Mark is a query whose points are lines across every panel.
	Mark struct {
		Name            string     `json:"name"`
		Datasource      Datasource `json:"datasource"`
		Enable          bool       `json:"enable"`
		IconColor       string     `json:"iconColor"`
		Expr            string     `json:"expr"`
		TitleFormat     string     `json:"titleFormat"`
		TextFormat      string     `json:"textFormat,omitempty"`
		Step            string     `json:"step,omitempty"`
		UseValueForTime string     `json:"useValueForTime,omitempty"` // "on": the value is the time, in ms
	}

	// A Panel is a picture, or a row's head.
	Panel struct {
		ID              int              `json:"id"`
		Type            string           `json:"type"`
		Title           string           `json:"title"`
		Description     string           `json:"description,omitempty"`
		Grid            Grid             `json:"gridPos"`
		Datasource      *Datasource      `json:"datasource,omitempty"`
		Collapsed       bool             `json:"collapsed,omitempty"`
		Links           []Link           `json:"links,omitempty"`
		Fields          *Fields          `json:"fieldConfig,omitempty"`
		Options         map[string]any   `json:"options,omitempty"`
		Transformations []Transformation `json:"transformations,omitempty"`
		Targets         []Target         `json:"targets,omitempty"`
	}

	// Grid is a panel's place: 24 columns wide.
	Grid struct {
		H int `json:"h"`
		W int `json:"w"`
		X int `json:"x"`
		Y int `json:"y"`
	}

	// Fields say how values are shown.
	Fields struct {
		Defaults  Field `json:"defaults"`
		Overrides []any `json:"overrides"`
	}

	// A Field is how a value is shown.
	Field struct {
		Unit       string         `json:"unit"`
		Min        *float64       `json:"min,omitempty"`
		Max        *float64       `json:"max,omitempty"`
		Decimals   *int           `json:"decimals,omitempty"`
		NoValue    string         `json:"noValue,omitempty"` // shown if the answer is empty
		Color      map[string]any `json:"color,omitempty"`
		Thresholds *Thresholds    `json:"thresholds,omitempty"`
		Mappings   []any          `json:"mappings,omitempty"`
		Custom     map[string]any `json:"custom,omitempty"`
	}

	// Thresholds colour values.
	Thresholds struct {
		Mode  string `json:"mode"`
		Steps []Step `json:"steps"`
	}

	// A Step is the colour from a value on; the first has none.
	Step struct {
		Color string   `json:"color"`
		Value *float64 `json:"value"`
	}

	// A Transformation of the answers.
	Transformation struct {
		ID      string         `json:"id"`
		Options map[string]any `json:"options"`
	}

	// A Target is one query of a panel.
	Target struct {
		RefID        string     `json:"refId"`
		Datasource   Datasource `json:"datasource"`
		EditorMode   string     `json:"editorMode"`
		Expr         string     `json:"expr"`
		LegendFormat string     `json:"legendFormat"`
		Format       string     `json:"format"` // time_series, table, heatmap
		Range        bool       `json:"range"`
		Instant      bool       `json:"instant"`
		Exemplar     bool       `json:"exemplar"`
	}
)
