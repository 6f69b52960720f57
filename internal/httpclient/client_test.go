package httpclient

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve is a gateway of a test.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func say(w http.ResponseWriter, status int, kind, body string) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

const (
	plainJSON   = "application/json"
	problemJSON = "application/problem+json"
)

func TestProblem(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "from-the-header")
		switch r.URL.Path {
		case "/v1/keys/known":
			say(w, 404, problemJSON, `{"type":"urn:frostfleet:problem:not_found","title":"Not found","status":404,
				"detail":"no such key","code":"not_found","retryable":false,"request_id":"r1",
				"errors":[{"location":"path.id","message":"is none"}]}`)
		case "/v1/keys/proxy":
			say(w, 418, "text/html", "<html>")
		case "/v1/keys/html":
			say(w, 200, "text/html", "<html>")
		case "/v1/keys/cut":
			say(w, 200, plainJSON, `{"id":`)
		case "/v1/keys/elsewhere":
			http.Redirect(w, r, "/v1/keys/stolen", http.StatusFound)
		default:
			t.Errorf("asked for %s", r.URL.Path)
		}
	})
	c := New(Options{URLs: []string{url}, Token: "t"})
	defer c.Close()
	for id, want := range map[string]string{
		"known": url + " answered 404 not_found: no such key; path.id: is none (request r1)",
		"proxy": url + " answered 418: I'm a teapot (request from-the-header)",
		"html": url +
			`: its answer can't be used: an answer of type "text/html", not JSON: is that a gateway's HTTP port? (request from-the-header)`,
		"cut": url + ": its answer can't be used: unexpected end of JSON input (request from-the-header)",
		"elsewhere": url +
			" answered 302: it sends elsewhere, where no token goes: name the gateway itself (request from-the-header)",
	} {
		if _, err := c.Key(t.Context(), id); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", id, err, want)
		}
	}
	if _, err := c.Key(t.Context(), "known"); !Is(err, "x", "not_found") || Is(err, "x") {
		t.Errorf("%v is not_found", err)
	}
}

// TestGateways: what may pass is asked of the next one and again; the rest is not.
func TestGateways(t *testing.T) {
	t.Parallel()
	var busy, refused atomic.Int32
	gone := httptest.NewServer(nil)
	gone.Close()
	first := serve(t, func(w http.ResponseWriter, r *http.Request) {
		busy.Add(1)
		w.Header().Set("Retry-After", "0")
		say(w, 503, problemJSON, `{"code":"busy","retryable":true}`)
	})
	second := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token" || r.Header.Get("User-Agent") != "test" {
			t.Errorf("asked with %v", r.Header)
		}
		if busy.Load() < 2 {
			say(w, 429, problemJSON, `{"code":"rate_limited"}`)
			return
		}
		say(w, 200, plainJSON, `{"id":"k","created":"2026-01-02T03:04:05Z"}`)
	})
	c := New(Options{URLs: []string{gone.URL, first, second}, Token: "token", Program: "test"})
	defer c.Close()
	k, err := c.Key(t.Context(), "k")
	if err != nil || k.ID != "k" || busy.Load() != 2 {
		t.Errorf("%+v, %v after %d", k, err, busy.Load())
	}
	third := serve(t, func(w http.ResponseWriter, r *http.Request) {
		refused.Add(1)
		say(w, 403, problemJSON, `{"code":"forbidden_scope"}`)
	})
	c = New(Options{URLs: []string{third, second}})
	if _, err := c.Key(t.Context(), "k"); !Is(err, "forbidden_scope") || refused.Load() != 1 {
		t.Errorf("%v after %d", err, refused.Load())
	}
	c = New(Options{URLs: []string{gone.URL}})
	if _, err := c.Key(t.Context(), "k"); err == nil || !strings.HasPrefix(err.Error(), gone.URL+": dial tcp") {
		t.Errorf("%v", err)
	}
}

// TestCA: a gateway is believed by its certificate alone.
func TestCA(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		say(w, 200, plainJSON, `{"id":"k"}`)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	var asked atomic.Int32
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			asked.Add(1)
		}
	}
	s.StartTLS()
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	if k, err := New(Options{URLs: []string{s.URL}, CA: pool}).Key(t.Context(), "k"); err != nil || k.ID != "k" {
		t.Errorf("%+v, %v", k, err)
	}
	before := asked.Load()
	_, err := New(Options{URLs: []string{s.URL}}).Key(t.Context(), "k")
	if unknown := (x509.UnknownAuthorityError{}); !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
	if asked.Load() != before+1 {
		t.Errorf("a gateway whose certificate was refused was asked %d times", asked.Load()-before)
	}
}

// TestCutShort: an attempt that the caller's context cuts off does not hide why the ones before
// it failed, at any gateway.
func TestCutShort(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int32
	busy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 2 {
			cancel()
			<-r.Context().Done()
			return
		}
		say(w, 503, problemJSON, `{"code":"busy","retryable":true}`)
	})
	gone := httptest.NewServer(nil)
	gone.Close()
	_, err := New(Options{URLs: []string{busy, gone.URL}}).Key(ctx, "k")
	if !Is(err, "busy") || !strings.Contains(err.Error(), gone.URL+": dial tcp") {
		t.Errorf("%v", err)
	}
}

// TestPages: each page once, and no more than was asked for; a cursor that leads nowhere ends it.
func TestPages(t *testing.T) {
	t.Parallel()
	var asked []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		switch r.URL.Query().Get("cursor") {
		case "":
			say(w, 200, plainJSON, `{"keys":[{"id":"a"},{"id":"b"}],"next_cursor":"2"}`)
		case "2":
			say(w, 200, plainJSON, `{"keys":[{"id":"c"}]}`)
		case "circle":
			say(w, 200, plainJSON, `{"jobs":[],"next_cursor":"circle"}`)
		}
	})
	c := New(Options{URLs: []string{url}})
	var got []string
	for k, err := range c.Keys(t.Context(), KeyQuery{Chain: "bitcoin", Since: time.Unix(0, 0)}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, k.ID)
	}
	if strings.Join(got, "") != "abc" || asked[0] != "chain=bitcoin&limit=1000&since=1970-01-01T00%3A00%3A00Z" {
		t.Errorf("%v by %v", got, asked)
	}
	got = nil
	for k, err := range c.Keys(t.Context(), KeyQuery{}, 1) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, k.ID)
	}
	if len(got) != 1 || len(asked) != 3 || asked[2] != "limit=1" {
		t.Errorf("%v by %v", got, asked)
	}
	circle := 0
	q := JobQuery{}.values()
	q.Set("cursor", "circle")
	for _, err := range pages[Job](t.Context(), c, "/v1/jobs", q, 0, "jobs") {
		if circle++; err == nil || circle > 1 {
			t.Fatalf("%v", err)
		}
	}
}

// TestExport: a stream that ends too early is an error.
func TestExport(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/csv")
		fmt.Fprint(w, "id\n")
		w.(http.Flusher).Flush()
		if r.URL.Query().Get("label") == "cut" {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "a\n")
	})
	c := New(Options{URLs: []string{url}})
	var out bytes.Buffer
	if err := c.Export(t.Context(), KeyQuery{}, "csv", &out); err != nil || out.String() != "id\na\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := c.Export(t.Context(), KeyQuery{Label: "cut"}, "csv", &out); !errors.Is(err, io.ErrUnexpectedEOF) ||
		out.String() != "id\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := c.Export(t.Context(), KeyQuery{}, "ndjson", io.Discard); err == nil {
		t.Error("CSV instead of NDJSON is taken")
	}
}

// TestWatch: over a connection that is lost, to the job's end; and not for ever.
func TestWatch(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/jobs/j/events" {
			say(w, 404, problemJSON, `{"code":"not_found"}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		if calls.Add(1) == 1 {
			fmt.Fprint(w, ": heartbeat\n\nevent: job\nid: 7\ndata: {\"id\":\"j\",\"status\":\"accepted\"}\n\n")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		if r.Header.Get("Last-Event-ID") != "7" {
			t.Errorf("Last-Event-ID %q", r.Header.Get("Last-Event-ID"))
		}
		fmt.Fprint(w, "event: other\ndata: x\n\nevent: job\nid: 8\ndata: {\"id\":\"j\",\ndata: \"status\":\"done\"}\n\n")
	})
	c := New(Options{URLs: []string{url}})
	var got []string
	for j, err := range c.Watch(t.Context(), "j") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, j.Status)
	}
	if strings.Join(got, " ") != "accepted done" {
		t.Errorf("%v", got)
	}
	for _, err := range c.Watch(t.Context(), "none") {
		if !Is(err, "not_found") {
			t.Errorf("%v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range c.Watch(ctx, "j") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"event: a\r\ndata: 1\r\n\r\ndata:2\n\n": "a||1;||2;",
		"id: 5\n\ndata: x\rdata: y\r\r":         "|5|x\ny;",
		"data\n\n":                              "||;",
		"data: cut off":                         "",
		":\n\n\n\n":                             "",
	} {
		got := ""
		for e, err := range events(strings.NewReader(text)) {
			if err != nil {
				t.Fatal(err)
			}
			got += e.name + "|" + e.id + "|" + string(e.data) + ";"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzEvents: whatever comes, no event is larger than it may be, and an error is the end.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("event: job\nid: 1\ndata: {}\n\n"))
	f.Add([]byte(strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", 1100)))
	f.Fuzz(func(t *testing.T, text []byte) {
		failed := false
		for e, err := range events(bytes.NewReader(text)) {
			if failed || err == nil && (e.data == nil || len(e.data) > maxEvent) || bytes.ContainsAny([]byte(e.name+e.id),
				"\r\n") {
				t.Fatalf("%+v, %v", e, err)
			}
			failed = err != nil
		}
	})
}
