package gateway

import (
	"crypto/ed25519"
	"log/slog"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/otlptest"
)

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// delivered is a delivery as far as a trace looks at it.
type delivered struct {
	bus.Delivery
	header  string
	attempt int
}

func (d delivered) Attempt() int { return d.attempt }
func (d delivered) Message() bus.Message {
	return bus.Message{Header: map[string][]string{"traceparent": {d.header}}}
}

// A job's span stands below its header's; without one it is the span that nodes
// find by themselves, and a second delivery stands below that.
func TestSpanOfADelivery(t *testing.T) {
	collector := otlptest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	tracer, err := tracing.Start(t.Context(), "frost-gateway", "gateway0", "v", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{cfg: Config{Tracer: tracer}}
	derived := tracer.Derive([]byte("signature"))
	stored := time.Now().Add(-time.Second).Truncate(time.Microsecond)
	cases := []struct {
		name, header, signature string
		attempt                 int
		trace, parent           string // hexadecimal; "" is one of its own
	}{
		{"traced", traceparent, "signature", 1, traceparent[3:35], traceparent[36:52]},
		{"traced, again", traceparent, "signature", 2, traceparent[3:35], traceparent[36:52]},
		{"not traced", "", "signature", 1, derived[3:35], ""},
		{"not traced, again", "", "signature", 2, derived[3:35], derived[36:52]},
		{"junk", "00-00-00-00", "signature", 1, derived[3:35], ""},
		{"unsigned", "", "", 1, "", ""},
	}
	for _, c := range cases {
		job := wire.SignedJob{Client: c.name, Kind: wire.KindSign, Signature: []byte(c.signature)}
		span := g.begin(delivered{header: c.header, attempt: c.attempt}, &job, stored)
		if job.Trace == "" || job.Trace != span.Trace() {
			t.Errorf("%s: the job's traceparent is %q, its span's %q", c.name, job.Trace, span.Trace())
		}
		ended(span, &wire.Result{Status: wire.StatusFailed, Code: wire.CodePoison, Error: "why"})
		span.End(errNotEnded) // as handle does in any case
	}
	if err := tracer.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := collector.Spans()
	if len(spans) != len(cases) {
		t.Fatalf("%d spans, want %d", len(spans), len(cases))
	}
	for i, c := range cases {
		s := spans[i]
		if s.Name != "job" || s.Attributes["frostfleet.client"] != c.name || !s.Start.Equal(stored) {
			t.Errorf("%s: span is %+v", c.name, s)
		}
		if c.trace != "" && s.Trace != c.trace || s.Parent != c.parent {
			t.Errorf("%s: below %q of %s, want %q of %s", c.name, s.Parent, s.Trace, c.parent, c.trace)
		}
		if itself := s.ID == derived[36:52]; itself != (c.trace == derived[3:35] && c.parent == "") {
			t.Errorf("%s: it is the derived span: %v", c.name, itself)
		}
		if s.Failed != "error: why" || s.Attributes["frostfleet.code"] != "poison" ||
			s.Attributes["frostfleet.delivery"] != int64(c.attempt) {
			t.Errorf("%s: failed with %q, tells %v", c.name, s.Failed, s.Attributes)
		}
	}
	if spans[5].Trace == derived[3:35] {
		t.Error("an unsigned job shares a trace with a signed one")
	}
}

// A result goes with its job's traceparent, and without where there is none.
func TestTraceparentOfAResult(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	g := &Gateway{cfg: Config{Name: "gateway0", Key: key, Manifest: new(wire.Manifest)}}
	if h := g.headers("alice", "job", nil, traceparent); tracing.Parse(h) != traceparent || len(h) != 3 {
		t.Errorf("headers %v", h)
	}
	if h := g.headers("alice", "job", nil, ""); len(h) != 2 {
		t.Errorf("headers %v", h)
	}
}
