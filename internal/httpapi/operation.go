package httpapi

import (
	"cmp"
	"context"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Limits of bodies, in bytes.
const (
	smallBody = 16 << 10
	largeBody = 1<<20 + 64<<10
)

// How many bytes of bodies are read and parsed at once: of all, and of one caller.
const (
	maxBodies         = 64 << 20
	maxBodiesOfCaller = maxBodies * 3 / 4
)

// bodyTime is for a body to arrive.
const bodyTime = 20 * time.Second

// The security schemes of the document.
const (
	bearer = "bearer"
	mutual = "mutual_tls"
)

// operation is one method of one resource.
type operation struct {
	id, method, path string
	tag              string // heading of the documentation
	summary, text    string
	scopes           []Scope // one of them is needed
	body             int64   // bytes that the request's body may have; 0: smallBody
	status           int     // of success; 0: 200
	also             []int   // other statuses of success, with the same body
	codes            []string
	produces         []string     // media types of success; none: application/json
	chunk            *huma.Schema // what text of those media types consists of; nil: it is text
	empty            int          // status of success without a body; 0: none
	opaque           bool         // the body is an object that others made
}

// every are the problems that any operation can have, and withBody those of what takes a body.
var (
	every = []string{"bad_request", "unauthorized", "forbidden_scope", "cross_site", "not_acceptable", "wrong_host",
		"validation_failed", "rate_limited", "internal", "busy", "not_ready", "timeout"}
	withBody = []string{"body_too_large", "unsupported_media_type"}
)

// register adds an operation to the API and to its document: who may call it, which answers it
// has, and what is refused before the handler sees it.
func register[I, O any](s *Server, o operation, handler func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Summary: o.summary, Description: o.describe(),
		DefaultStatus: o.status, MaxBodyBytes: o.body,
		BodyReadTimeout: bodyTime,
		Tags:            []string{o.tag}, Responses: map[string]*huma.Response{},
		Security: []map[string][]string{{bearer: o.scopeNames()}, {mutual: o.scopeNames()}},
	}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = smallBody
	}
	takesBody := o.method != http.MethodGet
	byStatus := o.problems(takesBody)
	op.Errors = slices.Sorted(maps.Keys(byStatus))
	op.Middlewares = huma.Middlewares{s.authorise(o.scopes), s.negotiate(o.produces, takesBody), checkQuery,
		s.room(op.MaxBodyBytes)}
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		requestOf(ctx).arrived()
		return handler(ctx, in)
	})
	o.complete(op.Responses, byStatus)
}

func (o *operation) scopeNames() []string {
	names := []string{}
	for _, scope := range o.scopes {
		names = append(names, string(scope))
	}
	return names
}

func (o *operation) describe() string {
	need := "Scope: " + strings.Join(o.scopeNames(), " or ") + "."
	if o.text == "" {
		return need
	}
	return o.text + "\n\n" + need
}

// problems are the codes that the operation may answer with, by status.
func (o *operation) problems(takesBody bool) map[int][]string {
	codes := append(slices.Clone(every), o.codes...)
	if takesBody {
		codes = append(codes, withBody...)
	}
	if strings.Contains(o.path, "{") {
		codes = append(codes, "not_found")
	}
	byStatus := map[int][]string{}
	for _, code := range codes {
		row, ok := problems[code]
		if !ok {
			panic("httpapi: operation " + o.id + " has a problem that the table lacks: " + code)
		}
		if !slices.Contains(byStatus[row.status], code) {
			byStatus[row.status] = append(byStatus[row.status], code)
		}
	}
	return byStatus
}

// complete adds to the document what huma does not: further statuses, the problems behind each,
// and the headers.
func (o *operation) complete(responses map[string]*huma.Response, byStatus map[int][]string) {
	success := responses[strconv.Itoa(max(o.status, http.StatusOK))]
	for _, media := range o.produces {
		if success.Content == nil {
			success.Content = map[string]*huma.MediaType{}
		}
		if success.Content[media] == nil {
			success.Content[media] = &huma.MediaType{Schema: cmp.Or(o.chunk, &huma.Schema{Type: huma.TypeString})}
		}
	}
	if o.opaque {
		success.Content["application/json"].Schema = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	}
	if o.empty != 0 {
		responses[strconv.Itoa(o.empty)] = &huma.Response{Description: http.StatusText(o.empty)}
	}
	for _, status := range o.also {
		other := *success
		other.Description = http.StatusText(status)
		other.Headers = maps.Clone(success.Headers)
		responses[strconv.Itoa(status)] = &other
	}
	for status, codes := range byStatus {
		r := responses[strconv.Itoa(status)]
		slices.Sort(codes)
		r.Description = http.StatusText(status) + ": " + strings.Join(codes, ", ")
		r.Headers = map[string]*huma.Param{}
		switch status {
		case http.StatusUnauthorized:
			r.Headers["WWW-Authenticate"] = text("Bearer, always.")
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			r.Headers["Retry-After"] = &huma.Param{Description: "Seconds.", Schema: &huma.Schema{Type: huma.TypeInteger}}
		}
	}
	for _, r := range responses {
		if r.Headers == nil {
			r.Headers = map[string]*huma.Param{}
		}
		r.Headers["X-Request-Id"] = text("Names the request, in problems and in the gateway's log.")
	}
}

func text(description string) *huma.Param {
	return &huma.Param{Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}

// refuse answers an operation with a problem.
func refuse(ctx huma.Context, p *Problem) {
	r, w := humagoUnwrap(ctx)
	p.write(w, r)
}

// negotiate refuses what the operation could not answer, before it has done anything: an Accept
// that allows none of its media types, and bodies that are not JSON.
func (s *Server) negotiate(produces []string, takesBody bool) func(huma.Context, func(huma.Context)) {
	if len(produces) == 0 {
		produces = []string{"application/json"}
	}
	return func(ctx huma.Context, next func(huma.Context)) {
		if accept := ctx.Header("Accept"); accept != "" && !accepts(accept, produces) {
			refuse(ctx, problem("not_acceptable", "there is %s", strings.Join(produces, ", ")))
			return
		}
		r, _ := humagoUnwrap(ctx)
		r.Header.Del("Accept") // huma would read it in its own way, and answer with the media type "json"
		if takesBody && (!isJSON(ctx.Header("Content-Type")) || encoded(r.Header)) {
			refuse(ctx, problem("unsupported_media_type", "send application/json, in UTF-8 and not packed"))
			return
		}
		next(ctx)
	}
}

// accepts reports whether an Accept header (RFC 9110, section 12.5.1) allows one of the types.
func accepts(accept string, types []string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil && q == 0 {
			continue
		}
		for _, t := range types {
			if media == "*/*" || media == t || media == t[:strings.IndexByte(t, '/')]+"/*" {
				return true
			}
		}
	}
	return false
}

func isJSON(contentType string) bool {
	media, params, err := mime.ParseMediaType(contentType)
	charset, set := params["charset"]
	return err == nil && media == "application/json" && (!set || strings.EqualFold(charset, "utf-8"))
}

// encoded reports whether a body is packed: nothing is unpacked here, so that no body grows.
func encoded(h http.Header) bool {
	coding := strings.Join(h.Values("Content-Encoding"), ",")
	return coding != "" && !strings.EqualFold(strings.TrimSpace(coding), "identity")
}

// checkQuery refuses a query, or an idempotency key, that can be read in two ways.
func checkQuery(ctx huma.Context, next func(huma.Context)) {
	u := ctx.URL()
	r, _ := humagoUnwrap(ctx)
	keys := r.Header.Values("Idempotency-Key")
	if u.RawQuery == "" && len(keys) == 0 {
		next(ctx)
		return
	}
	values, err := parseQuery(u.RawQuery)
	if err != nil {
		refuse(ctx, problem("bad_request", "the query can't be read: %v", err))
		return
	}
	p := problem("validation_failed", "validation failed")
	if len(keys) > 1 || len(keys) == 1 && keys[0] == "" {
		p.Errors = append(p.Errors, Fault{"header.Idempotency-Key", "is empty, or there twice"})
	}
	for name, all := range values {
		switch fault := (Fault{Location: place("query." + name)}); {
		case len(all) > 1:
			fault.Message = "is there twice"
			p.Errors = append(p.Errors, fault)
		case all[0] == "":
			fault.Message = "is empty: leave it out"
			p.Errors = append(p.Errors, fault)
		}
	}
	if len(p.Errors) > 0 {
		p.Errors = p.Errors[:min(len(p.Errors), maxFaults)]
		refuse(ctx, p)
		return
	}
	next(ctx)
}

// room wants room for a body, until the handler has what is in it: a body that does not say how
// long it is counts as the longest that the operation takes.
func (s *Server) room(most int64) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, _ := humagoUnwrap(ctx)
		size := r.ContentLength
		if size < 0 || size > most {
			size = most
		}
		q := requestOf(ctx.Context())
		own := &q.caller.share.bodies
		fits := own.take(size, maxBodiesOfCaller)
		if fits && !s.bodies.take(size, maxBodies) {
			own.give(size)
			fits = false
		}
		if !fits {
			s.refused("busy")
			refuse(ctx, problem("busy", "there is no room for another body of this size").after(time.Second))
			return
		}
		q.leave = sync.OnceFunc(func() { own.give(size); s.bodies.give(size) })
		defer q.leave()
		next(ctx)
	}
}

// WaitParam is the parameter of operations that can hold their answer.
type WaitParam struct {
	Wait string `query:"wait" pattern:"^([1-9][0-9]{0,3}ms|[1-9]s|[1-5][0-9]s|60s|1m)$" example:"10s" doc:"How long to hold the answer for the job's end: up to 60s. Without it the answer comes at once."`
}

func (p WaitParam) duration() time.Duration {
	d, _ := time.ParseDuration(p.Wait) // its pattern allows no other
	return d
}

// Idempotent is the header of operations that make jobs.
type Idempotent struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"128" pattern:"^[!-~]+$" doc:"The same key with the same body is the same job, at any gateway, for 24 hours. Without it each request is another job."`
}
