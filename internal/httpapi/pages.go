package httpapi

import "net/http"

// addPages are what needs no token: the document, a page of it, and the console.
func (s *Server) addPages() {
	s.page("/openapi.json", "application/json", func() []byte { return s.doc.json })
	s.page("/openapi.yaml", "application/yaml", func() []byte { return s.doc.yaml })
	s.page("/docs", "text/html; charset=utf-8", func() []byte { return s.doc.html })
	s.page("/docs/style.css", "text/css; charset=utf-8", func() []byte { return docsCSS })
	if s.cfg.Console != nil {
		s.mux.Handle("GET /{$}", s.cfg.Console)
		s.mux.Handle("GET /console/{file...}", s.cfg.Console)
	}
	s.mux.HandleFunc("/", s.noRoute)
}

func (s *Server) page(path, media string, content func() []byte) {
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Header().Set("Content-Security-Policy", docsPolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(content()) // whoever does not read it gets none
	})
}
