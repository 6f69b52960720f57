package httpapi

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// fleetStub is a Fleet that is there.
type fleetStub struct {
	err    error
	frozen *wire.Frozen
}

func (f *fleetStub) Manifests() []protocol.ManifestNodes { return nil }
func (f *fleetStub) Heard() []string                     { return []string{"gateway0"} }
func (f *fleetStub) Demand() protocol.Demand             { return protocol.Demand{} }
func (f *fleetStub) Resharing() protocol.Resharing       { return protocol.Resharing{} }
func (f *fleetStub) Frozen() *wire.Frozen                { return f.frozen }
func (f *fleetStub) Ready() error                        { return f.err }

// The tokens of tests.
const (
	full     = "ff_full"     // all scopes, of client shop
	reader   = "ff_reader"   // read, of client shop
	everyone = "ff_everyone" // read and approve, of all clients
	slow     = "ff_slow"     // read, one request a second
	gone     = "ff_gone"     // expired
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func testCallers() *Callers {
	of := func(token string, c Caller) Caller { c.SHA256 = sha256.Sum256([]byte(token)); return c }
	return NewCallers([]Caller{
		of(full, Caller{Name: "full", Client: "shop", Scopes: []Scope{Keygen, Sign, Read, Approve}}),
		of(reader, Caller{Name: "reader", Client: "shop", Scopes: []Scope{Read}}),
		of(everyone, Caller{Name: "everyone", Client: Everybody, Scopes: []Scope{Read, Approve}}),
		of(slow, Caller{Name: "slow", Client: "shop", Scopes: []Scope{Read}, Rate: 1}),
		of(gone, Caller{Name: "gone", Client: "shop", Scopes: []Scope{Read}, Expires: now}),
	})
}

func testServer(t testing.TB, change ...func(*Config)) *Server {
	t.Helper()
	cfg := Config{
		Manifest: &wire.Manifest{Fleet: "test", Network: "regtest", N: 3, T: 2}, Directory: &shelf{},
		Fleet: &fleetStub{}, Callers: testCallers(), Log: slog.New(slog.DiscardHandler), Version: "v0",
		Now: func() time.Time { return now }, Plaintext: true,
	}
	for _, f := range change {
		f(&cfg)
	}
	return New(cfg)
}

// ask sends a request; headers are pairs.
func ask(s http.Handler, method, target, token, body string, headers ...string) *httptest.ResponseRecorder {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, "http://127.0.0.1"+target, content)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func problemIn(t testing.TB, w *httptest.ResponseRecorder) Problem {
	t.Helper()
	var p Problem
	if ct := w.Header().Get("Content-Type"); ct != problemType {
		t.Fatalf("content type %q, body %s", ct, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != w.Code || p.RequestID == "" || p.RequestID != w.Header().Get("X-Request-Id") ||
		p.Type != "urn:frostfleet:problem:"+p.Code || p.Title == "" || p.Detail == "" {
		t.Fatalf("a problem that is not whole: %s", w.Body)
	}
	return p
}
