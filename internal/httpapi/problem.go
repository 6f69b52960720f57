package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Problem is why a request was not answered as it asks (RFC 9457).
type Problem struct {
	Type      string  `json:"type" format:"uri" doc:"urn:frostfleet:problem: and the code"`
	Title     string  `json:"title" doc:"What the code means, for people; the same for each occurrence"`
	Status    int     `json:"status" minimum:"400" maximum:"599" doc:"The HTTP status"`
	Detail    string  `json:"detail" doc:"This occurrence, for people"`
	Code      string  `json:"code" pattern:"^[a-z][a-z_]*$" doc:"What went wrong, for programs"`
	Retryable bool    `json:"retryable" doc:"The same request may succeed later"`
	RequestID string  `json:"request_id" doc:"That of the header X-Request-Id"`
	Errors    []Fault `json:"errors,omitempty" doc:"What is wrong with the request, place by place"`

	retryAfter time.Duration // for the header; 0: none
}

// Fault is one thing that is wrong with a request. It never repeats a value.
type Fault struct {
	Location string `json:"location" doc:"Such as body.items[3].message or query.limit"`
	Message  string `json:"message"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="frostfleet"`)
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	return h
}

// problem makes one of the table. detail is for people, and holds nothing secret.
func problem(code, detail string, args ...any) *Problem {
	row, ok := problems[code]
	if !ok {
		code, row = "internal", problems["internal"]
	}
	return &Problem{Type: "urn:frostfleet:problem:" + code, Title: row.title, Status: row.status, Code: code,
		Retryable: row.retryable, Detail: fmt.Sprintf(detail, args...)}
}

// after sets when to try again.
func (p *Problem) after(pause time.Duration) *Problem {
	p.retryAfter = max(pause, time.Second)
	return p
}

type problemRow struct {
	status    int
	title     string
	retryable bool
}

// problems are all that there are, by code: docs/http.md has the same table. Beside these
// stand the codes with which the fleet ends jobs, in fleetProblems.
var problems = map[string]problemRow{
	"bad_request":            {400, "The request can't be read", false},
	"bad_cursor":             {400, "The cursor is not one of this list", false},
	"unauthorized":           {401, "No token or certificate that counts", false},
	"forbidden_scope":        {403, "This token or certificate may not do that", false},
	"cross_site":             {403, "A page of another site sent the request", false},
	"not_held":               {403, "This gateway holds no key of that client", false},
	"not_found":              {404, "There is no such thing", false},
	"method_not_allowed":     {405, "This resource does not have that method", false},
	"not_acceptable":         {406, "None of the accepted media types is available", false},
	"timeout":                {408, "The request did not arrive in time", true},
	"body_too_large":         {413, "The body is too large", false},
	"unsupported_media_type": {415, "The body's media type is not supported", false},
	"wrong_host":             {421, "The server does not answer under this host name", false},
	"validation_failed":      {422, "The request is not as the document has it", false},
	"idempotency_key_reused": {422, "Another request had this idempotency key", false},
	"no_extended_key":        {422, "Keys of this chain have no extended key", false},
	"bad_count":              {422, "There are not so many", false},
	"invalid_child":          {422, "The key has no child at this index", false},
	"rate_limited":           {429, "Too many requests", true},
	"internal":               {500, "A fault of the gateway or the fleet", true},
	"busy":                   {503, "No room now", true},
	"not_ready":              {503, "The gateway is not ready", true},
}

// odd are the codes of jobs whose status is not 422, or that may go well at another time.
var odd = map[wire.Code]problemRow{
	wire.CodeUnknownClient:      {status: 403},
	wire.CodeKindNotAllowed:     {status: 403},
	wire.CodePolicyDenied:       {status: 403},
	wire.CodeApprovalRequired:   {status: 403},
	wire.CodeFrozen:             {status: 403, retryable: true},
	wire.CodeBadSignature:       {status: 403},
	wire.CodeUnknownKey:         {status: 404},
	wire.CodeNotOwner:           {status: 404},
	wire.CodeJobIDReused:        {status: 409},
	wire.CodeExpired:            {status: 409, retryable: true},
	wire.CodeTooManyPending:     {status: 429, retryable: true},
	wire.CodeKeygenFailed:       {status: 503, retryable: true},
	wire.CodeSigningFailed:      {status: 503, retryable: true},
	wire.CodeRegisterIncomplete: {status: 503, retryable: true},
}

func init() {
	for _, code := range wire.JobCodes {
		if _, ours := problems[string(code)]; ours { // internal
			continue
		}
		row, ok := odd[code]
		if !ok {
			row.status = http.StatusUnprocessableEntity
		}
		row.title = "The fleet refuses the job"
		problems[string(code)] = row
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, text string, errs ...error) huma.StatusError {
		return ofHuma(ctx.Context(), status, text, errs)
	}
	huma.NewError = func(status int, text string, errs ...error) huma.StatusError {
		return ofHuma(context.Background(), status, text, errs)
	}
	huma.DefaultArrayNullable = false
	huma.ValidateStrictCasing = true // "Count" would pass its check beside "count", and encoding/json take it
}

// codes of what huma finds wrong, by status.
var humaCodes = map[int]string{
	400: "bad_request", 406: "not_acceptable", 408: "timeout", 413: "body_too_large", 415: "unsupported_media_type",
	422: "validation_failed",
}

// maxFaults bounds the list of an answer, and maxPlace each of its places in bytes.
const (
	maxFaults = 20
	maxPlace  = 128
)

// ofHuma makes a problem of what huma found: without the values, which it would repeat.
func ofHuma(ctx context.Context, status int, text string, errs []error) *Problem {
	code, ok := humaCodes[status]
	if text == "cannot read request body" {
		code, ok = "bad_request", true // its sender broke off
	}
	if !ok {
		r := requestOf(ctx)
		if r != nil && len(errs) > 0 {
			r.fault(errors.Join(errs...))
		}
		return problem("internal", "look for the request's id in the gateway's log")
	}
	p := problem(code, "%s", text)
	for _, err := range errs[:min(len(errs), maxFaults)] {
		fault := Fault{Message: "is not right"}
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			fault = Fault{Location: place(d.Location), Message: d.Message}
		}
		p.Errors = append(p.Errors, fault)
	}
	return p
}

func place(text string) string {
	if len(text) > maxPlace {
		text = text[:maxPlace] + "..."
	}
	return text
}

// fail makes a problem of what went wrong behind the API.
func (s *Server) fail(ctx context.Context, err error) error {
	var own *Problem
	var busy *client.BusyError
	var job *client.JobError
	var account *client.AccountError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.As(err, &busy):
		return problem("busy", "the fleet has no room for another job of this client now").after(busy.RetryAfter)
	case errors.As(err, &job):
		return ofFleet(string(job.Code), job.Message)
	case errors.As(err, &account):
		return ofFleet(string(account.Code), account.Message)
	case errors.Is(err, directory.ErrNotFound):
		return problem("not_found", "there is none, or it is another client's")
	case errors.Is(err, directory.ErrCursor):
		return problem("bad_cursor", "take the cursor of the page before, and keep the other parameters")
	case errors.Is(err, directory.ErrBehind):
		return problem("not_ready", "the directory is still being read").after(time.Second)
	case errors.Is(err, directory.ErrWatchers):
		return problem("busy", "too many watch jobs here").after(time.Second)
	case errors.Is(err, directory.ErrRemark):
		return problem("validation_failed", "%v", err)
	case ctx.Err() != nil:
		return problem("timeout", "the request ended before its answer")
	}
	if r := requestOf(ctx); r != nil {
		r.fault(err)
	}
	return problem("internal", "look for the request's id in the gateway's log")
}

// ofFleet is a problem with a code of the fleet's. One that this table lacks is of a request
// that can't be fulfilled.
func ofFleet(code, text string) *Problem {
	if _, ok := problems[code]; ok {
		return problem(code, "%s", text)
	}
	p := problem("validation_failed", "%s", text)
	p.Type, p.Code = "urn:frostfleet:problem:"+code, code
	return p
}

// write answers with a problem outside of huma.
func (p *Problem) write(w http.ResponseWriter, r *http.Request) {
	if q := requestOf(r.Context()); q != nil {
		p.RequestID = q.id
	}
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever does not read it gets none
}
