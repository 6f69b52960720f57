// Package httpapi is the gateway's HTTP API, which docs/http.md is the guide to. Each resource
// is a file that registers its operations; the OpenAPI document is generated from them.
//
// A request is of a Principal, whom a bearer token or a client's certificate names. Where it
// asks for keys or signatures, the gateway either signs the job with a key that it holds for
// that client, or carries one that the caller signed.
package httpapi

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Config is what the API answers from.
type Config struct {
	Manifest  *wire.Manifest
	Access    func() *wire.Access
	Directory *directory.Directory
	Fleet     Fleet
	Clients   map[string]*client.Client // those whose keys this gateway holds, by name
	Carrier   Carrier
	Callers   *Callers
	Audit     *audit.Writer // nil: none is written
	Log       *slog.Logger
	Version   string
	Now       func() time.Time
}

// Server answers the API's requests.
type Server struct {
	cfg Config
	mux *http.ServeMux
	api huma.API
}

// New registers all operations.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, mux: http.NewServeMux()}
	c := huma.DefaultConfig("Frostfleet gateway", cfg.Version)
	c.DocsPath, c.SchemasPath = "", "" // the pages of this package need nothing from elsewhere
	c.CreateHooks = nil                // no $schema links in answers
	s.api = humago.New(s.mux, c)
	return s
}
