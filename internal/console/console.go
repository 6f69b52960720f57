// Package console is the page that operators look at: static files inside the binary, which
// read the HTTP API with the token that a person enters (docs/console.md).
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

// policy is the Content-Security-Policy: nothing but this origin's own files and its API, no
// script or style that is written into a page, no text that becomes markup, nobody's frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// headers of every answer. A gateway serves nothing that another site has a use for.
var headers = map[string]string{
	"Content-Security-Policy":      policy,
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
	"Cache-Control":                "no-cache", // asked for each time, and seldom sent again
}

// types are those of the files that there are, whatever the machine's tables say.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

// file is one that is served, and the same in gzip where that is shorter.
type file struct {
	mediaType    string
	plain, small []byte
	tag          string // in quotes
}

// Handler serves the console: its page at "/", and what that loads below "/console/". Other
// paths are not found.
func Handler() http.Handler { return files() }

// handler is the files by the path under which they are served.
type handler map[string]file

// files reads what is inside the binary.
func files() handler {
	all := handler{}
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		served := strings.TrimSuffix(strings.TrimPrefix(name, "static"), "index.html")
		all[served] = file{types[path.Ext(name)], data, compressed(data), `"` + hex.EncodeToString(sum[:8]) + `"`}
		return nil
	})
	if err != nil {
		panic(err) // what was compiled in is there
	}
	return all
}

func compressed(data []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // fails for no such level only
	_, _ = w.Write(data)                                  // a buffer takes everything
	_ = w.Close()
	if b.Len() >= len(data) {
		return nil
	}
	return b.Bytes()
}

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	f, ok := h[r.URL.Path]
	switch {
	case !ok:
		http.Error(w, "not found", http.StatusNotFound)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, tag := f.plain, f.tag
	w.Header().Set("Vary", "Accept-Encoding")
	if f.small != nil && takesGzip(r.Header.Get("Accept-Encoding")) {
		body, tag = f.small, strings.TrimSuffix(f.tag, `"`)+`-gzip"`
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Type", f.mediaType)
	w.Header().Set("ETag", tag)
	// ServeContent has the rest: If-None-Match, ranges, HEAD, the length.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// takesGzip reads Accept-Encoding as far as gzip is named in it.
func takesGzip(accepted string) bool {
	for part := range strings.SplitSeq(accepted, ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			w := strings.ReplaceAll(strings.TrimSpace(weight), " ", "")
			return !strings.HasPrefix(w, "q=0") || strings.Trim(w[len("q=0"):], ".0") != ""
		}
	}
	return false
}
