package httpapi

import (
	"net/http"
	"strings"
)

// addPages are what needs no token: the document, a page of it, health, and the console.
func (s *Server) addPages() {
	s.page("/openapi.json", "application/json", func() []byte { return s.doc.json })
	s.page("/openapi.yaml", "application/yaml", func() []byte { return s.doc.yaml })
	if s.cfg.Console != nil {
		s.mux.Handle("GET /{$}", s.cfg.Console)
		s.mux.Handle("GET /console/{file...}", s.cfg.Console)
	}
	s.mux.HandleFunc("/", s.noRoute)
}

func (s *Server) page(path, media string, content func() []byte) {
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", media)
		if strings.HasPrefix(media, "text/") {
			w.Header().Set("Content-Type", media+"; charset=utf-8")
		}
		_, _ = w.Write(content()) // whoever does not read it gets none
	})
}
