// Package otlptest is a collector of OpenTelemetry spans for tests: OTLP over
// HTTP, in this process.
package otlptest

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one span as it was received.
type Span struct {
	Service, Instance string
	Name              string
	Trace, ID, Parent string         // hexadecimal; Parent is "" for a root
	Links             []string       // span ids
	Attributes        map[string]any // string, int64 or bool
	Start, End        time.Time
	Failed            string // the error; "" if it ended well
}

// Collector keeps the spans that were sent to it.
type Collector struct {
	URL string // for OTEL_EXPORTER_OTLP_ENDPOINT

	t        testing.TB
	mu       sync.Mutex
	spans    []Span
	requests int
}

// Start runs a collector until the test ends.
func Start(t testing.TB) *Collector {
	c := &Collector{t: t}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// ServeHTTP takes POST /v1/traces.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	var request collector.ExportTraceServiceRequest
	body, err := payload(r)
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" {
		c.t.Errorf("not a request to a collector: %s %s: %v", r.Method, r.URL.Path, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, rs := range request.ResourceSpans {
		about := attributes(rs.Resource.GetAttributes())
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				c.spans = append(c.spans, read(about, s))
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func payload(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func read(about map[string]any, s *spans.Span) Span {
	out := Span{
		Name:   s.Name,
		Trace:  hex.EncodeToString(s.TraceId),
		ID:     hex.EncodeToString(s.SpanId),
		Parent: hex.EncodeToString(s.ParentSpanId),
		Attributes: attributes(
			s.Attributes,
		),
		Start: time.Unix(0, int64(s.StartTimeUnixNano)),
		End:   time.Unix(0, int64(s.EndTimeUnixNano)),
	}
	out.Service, _ = about["service.name"].(string)
	out.Instance, _ = about["service.instance.id"].(string)
	for _, l := range s.Links {
		out.Links = append(out.Links, hex.EncodeToString(l.SpanId))
	}
	if s.GetStatus().GetCode() == spans.Status_STATUS_CODE_ERROR {
		out.Failed = "error: " + s.Status.Message
	}
	return out
}

func attributes(list []*common.KeyValue) map[string]any {
	out := map[string]any{}
	for _, kv := range list {
		switch v := kv.Value.GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[kv.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			out[kv.Key] = v.IntValue
		case *common.AnyValue_BoolValue:
			out[kv.Key] = v.BoolValue
		}
	}
	return out
}

// Spans are those that came so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Requests counts what came so far, of whatever kind.
func (c *Collector) Requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

// Await waits up to two minutes for the spans to be as enough says, and
// returns them.
func (c *Collector) Await(enough func([]Span) bool) []Span {
	c.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		got := c.Spans()
		if enough(got) {
			return got
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the spans did not come; there are %d: %+v", len(got), got)
		}
	}
}
