package httpapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/frostfleet/frostfleet/internal/tracing"
)

// How many requests are answered at once, those that wait included. Who has no token, and reads
// pages slowly, takes no place of those who have one; nor does one caller take all of them.
const (
	maxInFlight = 1024
	maxOfCaller = maxInFlight * 3 / 4
	maxPages    = 128
)

// visitTime is for the reader of a page to take it.
const visitTime = 15 * time.Second

// request is what is known of one beside itself.
type request struct {
	id     string
	caller *Principal // nil: nobody yet
	url    *url.URL
	route  string // method and path
	log    *slog.Logger
	link   *http.ResponseController
	leave  func() // gives back the room of the body; may be called again
}

// arrived takes away the time that the body had, which would end the request's context, and its
// room.
func (r *request) arrived() {
	_ = r.link.SetReadDeadline(time.Time{}) // tests have no connection
	r.leave()
}

type requestKey struct{}

// requestOf is the request that a context is of; nil if of none.
func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// fault logs what nobody but the operators may see.
func (r *request) fault(err error) {
	r.log.Error("HTTP request failed", "request", r.id, "err", err)
}

// sane is what a request may be called by whoever sends it.
var sane = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,63}$`)

func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); sane.MatchString(id) {
		return id
	}
	return uuid.NewString()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	q := &request{id: requestID(r), url: r.URL, route: r.Method + " " + r.URL.Path, log: s.cfg.Log}
	out := &recorder{ResponseWriter: w}
	q.link = http.NewResponseController(w)
	if r.Body != nil && r.Body != http.NoBody { // also of requests that nobody reads the body of
		_ = q.link.SetReadDeadline(begun.Add(bodyTime))
	}
	out.Header().Set("X-Request-Id", q.id)
	out.Header().Set("X-Content-Type-Options", "nosniff")
	ctx := context.WithValue(r.Context(), requestKey{}, q)
	if trace := tracing.Parse(r.Header); trace != "" {
		ctx = tracing.NewContext(ctx, trace)
	}
	r = r.WithContext(ctx)
	defer s.ended(out, r, q, begun)
	places := s.places(r)
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	default:
		s.refused("busy")
		problem("busy", "the gateway answers as many requests as it may").after(time.Second).write(out, r)
		return
	}
	if places == s.pages {
		_ = q.link.SetWriteDeadline(begun.Add(visitTime)) // tests have no connection
	}
	if p := s.check(r); p != nil {
		p.write(out, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		out.Header().Set("Cache-Control", "no-store")
	}
	s.mux.ServeHTTP(out, r)
}

// places are those that a request takes one of.
func (s *Server) places(r *http.Request) chan struct{} {
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1/"):
		return s.flying
	case r.URL.Path == "/livez" || r.URL.Path == "/readyz": // or a crowd takes the gateway out of service
		return make(chan struct{}, 1)
	}
	return s.pages
}

// ended logs and counts, and makes an answer of a panic.
func (s *Server) ended(out *recorder, r *http.Request, q *request, begun time.Time) {
	failure := recover()
	if failure == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		panic(failure)
	}
	if failure != nil {
		q.log.Error("HTTP request panicked", "request", q.id, "panic", failure, "stack", string(debug.Stack()))
		if out.status == 0 {
			problem("internal", "look for the request's id in the gateway's log").write(out, r)
		}
	}
	route := r.Pattern
	if route == "" || route == "/" {
		route = "none"
	}
	took := time.Since(begun)
	if s.cfg.Observe != nil {
		s.cfg.Observe.HTTPRequest(route, out.code(), took)
	}
	level := slog.LevelInfo
	if out.code() < 400 && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		level = slog.LevelDebug
	}
	if !q.log.Enabled(r.Context(), level) {
		return
	}
	who := ""
	if q.caller != nil {
		who = q.caller.Name
	}
	q.log.Log(r.Context(), level, "HTTP request", "method", method(r), "route", route, "status", out.code(),
		"ms", took.Milliseconds(), "caller", who, "request", q.id)
}

// method is a request's, where it is one that there is.
func method(r *http.Request) string {
	if slices.Contains(methods, r.Method) || r.Method == http.MethodOptions {
		return r.Method
	}
	return "other"
}

func (s *Server) refused(reason string) {
	if s.cfg.Observe != nil {
		s.cfg.Observe.HTTPRefused(reason)
	}
}

// check refuses what no resource is asked for.
func (s *Server) check(r *http.Request) *Problem {
	if !s.ourHost(r.Host) {
		s.refused("wrong_host")
		return problem("wrong_host", "add the name to hosts in the section [http] of the gateway's configuration")
	}
	if p := checkPath(r.URL); p != nil {
		return p
	}
	if strings.HasPrefix(r.URL.Path, "/v1/") && crossSite(r) {
		s.refused("cross_site")
		return problem("cross_site", "the API is for programs, and for the console's own page")
	}
	return nil
}

// checkPath refuses paths that can be read in two ways: net/http would redirect some of them.
func checkPath(u *url.URL) *Problem {
	p := u.Path
	clean := path.Clean("/" + p)
	if p != "/" && strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	escaped := strings.ToLower(u.EscapedPath())
	switch {
	case p != clean || strings.Contains(p, "\\"):
		return problem("not_found", "the path has empty parts, dots or backslashes")
	case strings.Contains(escaped, "%2f") || strings.Contains(escaped, "%5c") || strings.Contains(escaped, "%00"):
		return problem("not_found", "the path has an escaped slash, backslash or NUL")
	}
	return nil
}

// crossSite reports whether a page of another origin sent the request, as browsers say. They
// could send no token without its page, so that this is a second wall.
func crossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host)
}

// ourHost reports whether a Host header names this server. A page whose name was made to lead
// here (DNS rebinding) has that name in the header; TLS has its certificate for that.
func (s *Server) ourHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"), ".")
	if !s.cfg.Plaintext && len(s.cfg.Hosts) == 0 {
		return true
	}
	if strings.EqualFold(name, "localhost") ||
		slices.ContainsFunc(s.cfg.Hosts, func(h string) bool { return strings.EqualFold(h, name) }) {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil // no name, so that nobody can have made it lead here
}

// methods are those that resources have.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete}

// allowed are the methods of the resource that a path names: of /v1/keys/export those of no key.
func (s *Server) allowed(r *http.Request) (allow []string) {
	named := map[string][]string{} // methods, by the path of a pattern
	best := ""
	for _, m := range methods {
		other := r.Clone(r.Context())
		other.Method = m
		_, pattern := s.mux.Handler(other)
		_, at, ok := strings.Cut(pattern, " ")
		if !ok { // that of noRoute
			continue
		}
		named[at] = append(named[at], m)
		if best == "" || strings.Count(at, "{") < strings.Count(best, "{") {
			best = at
		}
	}
	return named[best]
}

// noRoute answers what no pattern matches: there is no such path, or it has other methods.
func (s *Server) noRoute(w http.ResponseWriter, r *http.Request) {
	allow := s.allowed(r)
	if len(allow) == 0 {
		problem("not_found", "there is no such resource").write(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(append(allow, http.MethodOptions), ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	problem("method_not_allowed", "the header Allow has those that it has").write(w, r)
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

func humagoUnwrap(ctx huma.Context) (*http.Request, http.ResponseWriter) { return humago.Unwrap(ctx) }
