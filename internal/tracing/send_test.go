package tracing

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/otlptest"
)

// collector answers requests in turn with codes, the last for ever, and keeps
// what it was asked.
type collector struct {
	mu    sync.Mutex
	codes []int
	asked []*http.Request
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, r)
	code := c.codes[0]
	if len(c.codes) > 1 {
		c.codes = c.codes[1:]
	}
	w.WriteHeader(code)
	fmt.Fprint(w, "because of hunter2")
}

// sendOne sends one span and gives what the log was told.
func sendOne(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	tracer, err := Start(t.Context(), "s", "i", "v", slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	tracer.Span("", "one", time.Time{}).End(nil)
	stop(t, tracer)
	return out.String()
}

// What a collector refuses is told and given up.
func TestAnswersOfACollector(t *testing.T) {
	for _, c := range []struct {
		codes []int
		asked int
		told  string
	}{
		{[]int{200}, 1, ""},
		{[]int{400, 200}, 1, "400 Bad Request"}, // without its words, which may repeat a token
	} {
		server := &collector{codes: c.codes}
		s := httptest.NewServer(server)
		clean(t, envEndpoint, s.URL+"/base/")
		told := sendOne(t)
		s.Close()
		if len(server.asked) != c.asked || server.asked[0].URL.Path != "/base/v1/traces" {
			t.Errorf("%v: %d requests, want %d; the first to %s", c.codes, len(server.asked), c.asked, server.asked[0].URL)
		}
		if (told == "") != (c.told == "") || !strings.Contains(told, c.told) || strings.Contains(told, "hunter2") {
			t.Errorf("%v: the log has %q, want %q", c.codes, told, c.told)
		}
	}
}

// The variables of the exporter do what they say; those for traces alone go
// before the others.
func TestExporterVariables(t *testing.T) {
	server := &collector{codes: []int{200}}
	s := httptest.NewTLSServer(server)
	defer s.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	clean(t, envEndpoint, "http://127.0.0.1:1", envTracesEndpoint, s.URL, prefix+"CERTIFICATE", authority,
		prefix+"HEADERS", "ignored=1", prefix+"TRACES_HEADERS", " Token = a%20b%2C ,x=", prefix+"COMPRESSION", "gzip", prefix+"TIMEOUT", "30000")
	if told := sendOne(t); told != "" || len(server.asked) != 1 {
		t.Fatalf("%d requests, the log has %q", len(server.asked), told)
	}
	r := server.asked[0]
	if r.URL.Path != "/" || r.Header.Get("Token") != "a b," || r.Header.Get("Ignored") != "" || r.Header.Get("Content-Encoding") != "gzip" ||
		r.Header.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("asked %s with %v", r.URL, r.Header)
	}
	clean(t, envEndpoint, s.URL) // an authority that nobody trusts
	if told := sendOne(t); !strings.Contains(told, "certificate") {
		t.Errorf("the log has %q", told)
	}
}

// What is packed is unpacked as it was.
func TestPackedSpans(t *testing.T) {
	c := otlptest.Start(t)
	clean(t, envEndpoint, c.URL, prefix+"COMPRESSION", "gzip")
	if told := sendOne(t); told != "" || len(c.Spans()) != 1 || c.Spans()[0].Name != "one" {
		t.Errorf("received %+v, the log has %q", c.Spans(), told)
	}
}
