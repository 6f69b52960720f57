package httpclient

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Problem is a gateway's answer that is none: an RFC 9457 problem with the members that
// docs/http.md adds.
type Problem struct {
	Status    int    `json:"status"` // of HTTP
	Code      string `json:"code"`   // for programs; empty where what answered is no gateway
	Title     string `json:"title"`
	Detail    string `json:"detail"`
	Retryable bool   `json:"retryable"`
	RequestID string `json:"request_id"`
	Errors    []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	} `json:"errors"`

	Gateway    string        `json:"-"` // URL
	RetryAfter time.Duration `json:"-"` // a hint; 0: none
}

// Error names the gateway, the code, and the request, for whoever reads the gateway's log.
func (p *Problem) Error() string {
	text := fmt.Sprintf("%s answered %d", p.Gateway, p.Status)
	if p.Code != "" {
		text += " " + p.Code
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	} else if p.Title != "" {
		text += ": " + p.Title
	}
	for _, e := range p.Errors {
		text += fmt.Sprintf("; %s: %s", e.Location, e.Message)
	}
	if p.RequestID != "" {
		text += " (request " + p.RequestID + ")"
	}
	return text
}

// Is reports whether an error is a gateway's answer with one of these codes.
func Is(err error, codes ...string) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && slices.Contains(codes, p.Code)
}

// problem reads what is wrong out of an answer.
func problem(base string, answer *http.Response) error {
	p := &Problem{}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	if err != nil || isJSON(answer) != nil || json.Unmarshal(data, p) != nil {
		p = &Problem{Title: http.StatusText(answer.StatusCode), Retryable: answer.StatusCode/100 == 5}
		if answer.StatusCode/100 == 3 {
			p.Title = "it sends elsewhere, where no token goes: name the gateway itself"
		}
	}
	p.Gateway, p.Status = base, answer.StatusCode
	if p.RequestID == "" {
		p.RequestID = requestID(answer)
	}
	if seconds, err := strconv.ParseUint(answer.Header.Get("Retry-After"), 10, 16); err == nil {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}

// requestID is the gateway's name for a request.
func requestID(answer *http.Response) string {
	id := answer.Header.Get("X-Request-Id")
	return strings.ToValidUTF8(id[:min(len(id), 128)], "")
}

// unreachable is the error of a gateway that did not answer.
type unreachable struct {
	base string
	err  error
}

func (e *unreachable) Error() string { return e.base + ": " + e.err.Error() }
func (e *unreachable) Unwrap() error { return e.err }

// broken is the error of an answer that can't be used.
type broken struct {
	base, request string
	err           error
}

func (e *broken) Error() string {
	text := e.base + ": its answer can't be used: " + e.err.Error()
	if e.request != "" {
		text += " (request " + e.request + ")"
	}
	return text
}
func (e *broken) Unwrap() error { return e.err }

// passes reports whether the same request may be answered at another gateway, or later.
func passes(err error) bool {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Retryable || p.Status == http.StatusTooManyRequests || p.Status == http.StatusBadGateway ||
			p.Status == http.StatusServiceUnavailable || p.Status == http.StatusGatewayTimeout
	}
	_, away := errors.AsType[*unreachable](err)
	return away && !errors.Is(err, context.Canceled)
}

// mistrusted reports whether a gateway's certificate was refused: another gateway may have a
// good one, but the same one will not have a better one soon.
func mistrusted(err error) bool {
	_, refused := errors.AsType[*tls.CertificateVerificationError](err)
	return refused
}
