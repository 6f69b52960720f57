// Package httpclient asks the HTTP API of a fleet's gateways, as docs/http.md has it, on behalf
// of frostctl. What a gateway says is believed here: proofs are for package client.
package httpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
)

// What a gateway's answer may cost.
const (
	maxBody    = 64 << 20         // bytes of an answer that is not a stream
	maxProblem = 64 << 10         // bytes of one that says what is wrong
	silence    = 45 * time.Second // of a stream, after which the gateway counts as gone
	attempt    = 30 * time.Second // for one answer that is not a stream
	rounds     = 4                // over all gateways, for what may pass
	maxPause   = 10 * time.Second // that a gateway may ask for
)

// Options are whom to ask, and as whom.
type Options struct {
	URLs    []string       // gateways, asked in this order: scheme, host and port
	Token   string         // bearer token; empty: none
	CA      *x509.CertPool // nil: the system's
	Program string         // User-Agent
}

// Client asks gateways. It may be used concurrently.
type Client struct {
	o    Options
	http *http.Client
}

// New makes a Client. It connects to nothing yet.
func New(o Options) *Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &Client{o, &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
			TLSClientConfig:     &tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: attempt, MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
		},
		// A token goes where it was meant to go, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// URLs are the gateways that are asked.
func (c *Client) URLs() []string { return c.o.URLs }

// Close gives connections back that nothing uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is one question, asked at any gateway until there is an answer.
type request struct {
	method, path string
	query        url.Values
	body         []byte // JSON; nil: none
	accept       string
	lastEvent    string
}

// get asks for a JSON value.
func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.call(ctx, request{method: http.MethodGet, path: path, query: query}, into)
}

func (c *Client) call(ctx context.Context, r request, into any) error {
	return c.ask(ctx, r, attempt, func(answer *http.Response) error { return decode(answer, into) })
}

// ask has take read the first good answer, and asks again, at the next gateway or later, for
// what may pass. Every request of this package may be repeated: it reads, or sets what it sets.
// limit bounds one attempt with its body; 0: nothing does. A context that ends in the middle of
// an attempt doesn't hide what the same gateway said before.
func (c *Client) ask(ctx context.Context, r request, limit time.Duration, take func(*http.Response) error) error {
	pause := backoff.Backoff{Min: 200 * time.Millisecond, Max: 2 * time.Second}
	reasons := make([]error, len(c.o.URLs))
	for round := 1; ; round++ {
		var wait time.Duration
		again := false
		for i, base := range c.o.URLs {
			err := c.once(ctx, base, r, limit, take)
			if err == nil {
				return nil
			}
			cut := ctx.Err() != nil
			if !cut || reasons[i] == nil {
				reasons[i] = err
			}
			if cut || !passes(err) {
				return errors.Join(reasons...)
			}
			again = again || !mistrusted(err)
			if p, ok := errors.AsType[*Problem](err); ok {
				wait = max(wait, min(p.RetryAfter, maxPause))
			}
		}
		if !again || round == rounds || backoff.Sleep(ctx, max(wait, pause.Next())) != nil {
			return errors.Join(reasons...)
		}
	}
}

// once asks one gateway.
func (c *Client) once(ctx context.Context, base string, r request, limit time.Duration,
	take func(*http.Response) error) error {
	if limit > 0 {
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		ctx = limited
	}
	target := base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", c.o.Program)
	req.Header.Set("Accept", r.accept)
	if r.accept == "" {
		req.Header.Set("Accept", "application/json")
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.lastEvent != "" {
		req.Header.Set("Last-Event-ID", r.lastEvent)
	}
	if c.o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return &unreachable{base, inner(err)}
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return problem(base, answer)
	}
	if err := take(answer); err != nil {
		return &broken{base, requestID(answer), err}
	}
	return nil
}

// inner is the error of a request without the words of Go's library around it, which repeat the
// address with its query.
func inner(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// decode reads a JSON answer.
func decode(answer *http.Response, into any) error {
	if err := isJSON(answer); err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	switch {
	case err != nil:
		return err
	case len(data) > maxBody:
		return fmt.Errorf("an answer of more than %d MiB", maxBody>>20)
	}
	return json.Unmarshal(data, into)
}

func isJSON(answer *http.Response) error {
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if kind != "application/json" && kind != "application/problem+json" {
		return fmt.Errorf("an answer of type %.64q, not JSON: is that a gateway's HTTP port?", kind)
	}
	return nil
}
