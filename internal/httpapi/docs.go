package httpapi

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// The page is made of the OpenAPI document once, at the start: HTML and a style sheet, without
// a script and without a request to anywhere else.

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS []byte

var docsTemplate = template.Must(template.New("docs").Parse(docsHTML))

// docsPolicy is the page's Content-Security-Policy.
const docsPolicy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

type docsPage struct {
	Title, Description, Version, OpenAPI string
	Groups                               []docsGroup
	Schemas                              []docsSchema
}

type docsGroup struct {
	Name       string
	Operations []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary string
	Text                      []string // paragraphs
	Parameters                []docsField
	Body                      *docsType
	Answers                   []docsAnswer
}

type docsField struct {
	Name, In, Doc string
	Type          docsType
	Required      bool
}

type docsAnswer struct {
	Status, Doc string
	Type        docsType
}

type docsSchema struct {
	Name, Doc string
	Fields    []docsField
}

// docsType is a type in words: "list of " and a name, or the name of a schema.
type docsType struct{ Before, Ref, Name, Bounds string }

// docsOf renders the page of a document.
func docsOf(o *huma.OpenAPI) ([]byte, error) {
	page := docsPage{Title: o.Info.Title, Description: o.Info.Description, Version: o.Info.Version, OpenAPI: o.OpenAPI}
	groups := map[string][]docsOperation{}
	for path, item := range o.Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPatch: item.Patch, http.MethodPut: item.Put,
			http.MethodDelete: item.Delete,
		} {
			if op != nil {
				tag := strings.Join(op.Tags, " ")
				groups[tag] = append(groups[tag], docsOperationOf(method, path, op))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		all := groups[name]
		slices.SortFunc(all, func(a, b docsOperation) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
		})
		page.Groups = append(page.Groups, docsGroup{name, all})
	}
	schemas := o.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		page.Schemas = append(page.Schemas, docsSchema{name, schemas[name].Description, fieldsOf(schemas[name])})
	}
	var out bytes.Buffer
	err := docsTemplate.Execute(&out, page)
	return out.Bytes(), err
}

func docsOperationOf(method, path string, op *huma.Operation) docsOperation {
	d := docsOperation{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary,
		Text: strings.Split(op.Description, "\n\n")}
	for _, p := range op.Parameters {
		d.Parameters = append(d.Parameters, docsField{p.Name, p.In, p.Description, docsTypeOf(p.Schema), p.Required})
	}
	if op.RequestBody != nil {
		for _, media := range op.RequestBody.Content {
			t := docsTypeOf(media.Schema)
			d.Body = &t
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		a := docsAnswer{Status: status, Doc: r.Description}
		for _, name := range slices.Sorted(maps.Keys(r.Content)) {
			if a.Type = docsTypeOf(r.Content[name].Schema); name != "application/json" && name != problemType {
				a.Type = docsType{Name: strings.TrimPrefix(a.Type.Name+", ", "string, ") + name}
			}
		}
		d.Answers = append(d.Answers, a)
	}
	return d
}

func fieldsOf(s *huma.Schema) (fields []docsField) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		fields = append(fields, docsField{Name: name, Doc: p.Description, Type: docsTypeOf(p),
			Required: slices.Contains(s.Required, name)})
	}
	return fields
}

func docsTypeOf(s *huma.Schema) docsType {
	switch {
	case s == nil:
		return docsType{}
	case s.Ref != "":
		return docsType{Ref: s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]}
	case s.Type == huma.TypeArray:
		t := docsTypeOf(s.Items)
		t.Before = "list of " + t.Before
		if s.MaxItems != nil {
			t.Bounds = fmt.Sprintf("up to %d", *s.MaxItems)
		}
		return t
	case s.Type == huma.TypeObject && s.AdditionalProperties != nil && len(s.Properties) == 0:
		return docsType{Name: "object of strings"}
	}
	t := docsType{Name: s.Type}
	if s.Nullable {
		t.Name += " or null"
	}
	if s.Format != "" && s.Format != "int64" && s.Format != "double" {
		t.Name = s.Format
	}
	t.Bounds = boundsOf(s)
	return t
}

// boundsOf says in words what a value may be.
func boundsOf(s *huma.Schema) string {
	var said []string
	add := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		add("%s", strings.Join(values, ", "))
	}
	number := func(f *float64) string { return strconv.FormatFloat(*f, 'f', -1, 64) }
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		add("%s to %s", number(s.Minimum), number(s.Maximum))
	case s.Minimum != nil:
		add("from %s", number(s.Minimum))
	case s.Maximum != nil:
		add("up to %s", number(s.Maximum))
	}
	if s.MaxLength != nil {
		add("up to %d characters", *s.MaxLength)
	}
	if s.Default != nil {
		add("%v if it is missing", s.Default)
	}
	return strings.Join(said, "; ")
}
