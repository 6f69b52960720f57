package httpapi

import (
	"fmt"
	"net/http"
)

var _ = resource((*Server).addHealth)

// addHealth are /livez and /readyz, which say no more than that: what keeps the gateway from
// working is at the health server, which may be bound to a private address.
func (s *Server) addHealth() {
	s.mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	s.mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if s.Ready() != nil {
			problem("not_ready", "the gateway starts, or something that it needs is away").write(w, r)
			return
		}
		fmt.Fprintln(w, "ok")
	})
}

// Ready is what keeps the API from answering for everything.
func (s *Server) Ready() error {
	if err := s.cfg.Directory.Ready(); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	return s.cfg.Fleet.Ready()
}
