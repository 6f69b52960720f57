// Package httpapi is the gateway's HTTP API, which docs/http.md is the guide to. Each resource
// is a file that registers its operations; the OpenAPI document is generated from them.
//
// A request is of a Principal, whom a bearer token or a client's certificate names. Where it
// asks for keys or signatures, the gateway either signs the job with a key that it holds for
// that client, or carries one that the caller signed.
package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/recent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Config is what the API answers from.
type Config struct {
	Name      string // of this gateway, as the access list has it
	Manifest  *wire.Manifest
	Public    *client.Manifest // the same, as package client takes it
	Access    func() *wire.Access
	Directory Directory
	Fleet     Fleet
	Clients   map[string]*client.Client // those whose keys this gateway holds, by name
	Carrier   Carrier
	Callers   *Callers
	Recent    func(now time.Time) recent.Look // the last minutes of this gateway; nil: there is no /v1/stats
	Audit     *audit.Writer                   // nil: none is written
	Observe   Observer                        // nil: nobody is told
	Log       *slog.Logger
	Version   string
	Now       func() time.Time

	Console   http.Handler // answers / and /console/...; nil: there is none
	Hosts     []string     // names under which the server answers, besides those of loopback
	Plaintext bool         // without TLS: Hosts and addresses alone are believed
}

// Observer is told of requests, for metrics. Route is a pattern such as "GET /v1/keys/{id}",
// or "none".
type Observer interface {
	HTTPRequest(route string, status int, took time.Duration)
	HTTPRefused(reason string) // one of Refusals
}

// Refusals are the reasons for which a request is turned away before it is looked at.
var Refusals = []string{"unauthorized", "rate_limited", "busy", "cross_site", "wrong_host"}

// Server answers the API's requests.
type Server struct {
	cfg    Config
	mux    *http.ServeMux
	api    huma.API
	flying chan struct{} // a place for each request under way that needs a token
	pages  chan struct{} // and for each that needs none
	bodies meter         // bytes
	doc    document

	draining context.Context // ends when the server stops: whoever waits is answered
	drain    context.CancelFunc
	singles  atomic.Int32 // single signatures that callers wait for
	streams  streams      // of events
}

// New registers all operations.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, mux: http.NewServeMux(), flying: make(chan struct{}, maxInFlight),
		pages: make(chan struct{}, maxPages)}
	s.streams.patience, s.streams.beat = eventTime, heartbeat
	s.draining, s.drain = context.WithCancel(context.Background())
	c := huma.DefaultConfig("Frostfleet gateway", cfg.Version)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", "" // the pages of this package need nothing from elsewhere
	c.CreateHooks = nil                                   // no $schema links in answers
	c.RejectUnknownQueryParameters = true
	c.Formats = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON}
	c.Transformers = []huma.Transformer{name}
	c.Info.Description = "Keys and signatures of a Frostfleet, over HTTP. The guide is docs/http.md."
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearer: {Type: "http", Scheme: "bearer", Description: "A token of the gateway's configuration ([[http.token]])."},
		mutual: {Type: "mutualTLS", Description: "A client certificate of the gateway's configuration " +
			"([[http.certificate]]), where the gateway has a client_ca."},
	}
	s.api = humago.New(s.mux, c)
	for _, add := range resources {
		add(s)
	}
	s.addPages()
	s.doc.of(s.api.OpenAPI())
	return s
}

// resources register operations, a function for each file, which says:
//
//	var _ = resource((*Server).addKeys)
var resources []func(*Server)

func resource(add func(*Server)) bool {
	resources = append(resources, add)
	return true
}

// name fills in what problems need to know of their request.
func name(ctx huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*Problem); ok {
		if r := requestOf(ctx.Context()); r != nil {
			p.RequestID = r.id
		}
	}
	return v, nil
}

// document is the OpenAPI document in its forms.
type document struct{ json, yaml, html []byte }

func (d *document) of(o *huma.OpenAPI) {
	text, err := json.Marshal(o)
	if err != nil {
		panic("httpapi: the OpenAPI document: " + err.Error()) // of this package's own making
	}
	var pretty bytes.Buffer
	_ = json.Indent(&pretty, text, "", "  ") // it is JSON
	d.json = pretty.Bytes()
	d.yaml, err = o.YAML()
	if err == nil {
		d.html, err = docsOf(o)
	}
	if err != nil {
		panic("httpapi: the OpenAPI document: " + err.Error())
	}
}
