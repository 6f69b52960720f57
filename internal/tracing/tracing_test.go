package tracing

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/frostfleet/frostfleet/test/otlptest"
)

const (
	envEndpoint       = prefix + "ENDPOINT"
	envTracesEndpoint = prefix + "TRACES_ENDPOINT"
	envProtocol       = prefix + "PROTOCOL"
	envSampler        = "OTEL_TRACES_SAMPLER"
	envArgument       = "OTEL_TRACES_SAMPLER_ARG"
)

// clean takes whatever the machine says of OpenTelemetry out of the
// environment, and sets pairs.
func clean(t *testing.T, pairs ...string) {
	t.Helper()
	for _, name := range []string{envDisabled, envExporter, envSampler, envArgument} {
		t.Setenv(name, "")
	}
	for _, name := range []string{"ENDPOINT", "PROTOCOL", "COMPRESSION", "TIMEOUT", "HEADERS", "CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"} {
		t.Setenv(prefix+name, "")
		t.Setenv(prefix+"TRACES_"+name, "")
	}
	for i := 0; i < len(pairs); i += 2 {
		t.Setenv(pairs[i], pairs[i+1])
	}
}

func start(t *testing.T) *Tracer {
	t.Helper()
	tracer, err := Start(t.Context(), "service", "instance", "v1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

func stop(t *testing.T, tracer *Tracer) {
	t.Helper()
	if err := tracer.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Spans arrive as they were made, each under the parent that its traceparent
// names.
func TestSpans(t *testing.T) {
	c := otlptest.Start(t)
	clean(t, envEndpoint, c.URL)
	tracer := start(t)
	begun := time.Now().Add(-time.Minute).Truncate(time.Microsecond)
	parent := tracer.Span("", "parent", begun, Job("j"), Items(3))
	child := tracer.Span(parent.Trace(), "child", time.Time{})
	other := tracer.Span("", "other", time.Time{})
	child.Link(other.Trace())
	child.Link("no traceparent")
	child.Set(Code("bad"))
	child.End(errors.New("it failed"))
	parent.EndAt(begun.Add(time.Second), nil)
	other.End(nil)
	stop(t, tracer)

	by := map[string]otlptest.Span{}
	for _, s := range c.Spans() {
		by[s.Name] = s
		if s.Service != "service" || s.Instance != "instance" {
			t.Errorf("%s is of %s %s", s.Name, s.Service, s.Instance)
		}
	}
	p, ch, o := by["parent"], by["child"], by["other"]
	switch {
	case len(by) != 3:
		t.Errorf("%d spans, want 3", len(by))
	case p.Parent != "" || p.Trace != TraceID(parent.Trace()):
		t.Errorf("the root is %+v, and its traceparent %s", p, parent.Trace())
	case !p.Start.Equal(begun) || p.End.Sub(p.Start) != time.Second:
		t.Errorf("root from %s to %s, want one second from %s", p.Start, p.End, begun)
	case p.Attributes["frostfleet.job"] != "j" || p.Attributes["frostfleet.items"] != int64(3) || p.Failed != "":
		t.Errorf("root is %+v", p)
	case ch.Trace != p.Trace || ch.Parent != p.ID || !slices.Equal(ch.Links, []string{o.ID}):
		t.Errorf("child is %+v of %+v", ch, p)
	case ch.Failed != "error: it failed" || ch.Attributes["frostfleet.code"] != "bad":
		t.Errorf("child failed with %q, attributes %v", ch.Failed, ch.Attributes)
	case o.Trace == p.Trace:
		t.Error("two roots share a trace")
	}
}

// A job without a traceparent has one span that all programs know of before it
// is made.
func TestDerivedRoot(t *testing.T) {
	c := otlptest.Start(t)
	clean(t, envEndpoint, c.URL)
	gateway, worker := start(t), start(t)
	trace := worker.Derive([]byte("seed"))
	worker.Span(trace, "commit", time.Time{}).End(nil)
	root := gateway.Root(gateway.Derive([]byte("seed")), "job", time.Time{})
	if root.Trace() != trace {
		t.Errorf("the root is %s, derived was %s", root.Trace(), trace)
	}
	root.End(nil)
	stop(t, worker)
	stop(t, gateway)
	got := c.Spans()
	if len(got) != 2 || got[0].Name != "commit" || got[0].Parent != got[1].ID || got[0].Trace != got[1].Trace || got[1].Parent != "" {
		t.Errorf("got %+v", got)
	}
	if gateway.Derive([]byte("other")) == trace {
		t.Error("two seeds, one trace")
	}
}

// Off is a nil tracer, which takes everything, sends nothing and costs nothing.
func TestOff(t *testing.T) {
	c := otlptest.Start(t)
	for _, env := range [][]string{
		{},
		{envSampler, "always_on"},
		{envEndpoint, c.URL, envDisabled, "TRUE"},
		{envEndpoint, c.URL, envExporter, "none"},
		{envTracesEndpoint, c.URL, envExporter, "None"},
	} {
		clean(t, env...)
		if tracer := start(t); tracer != nil {
			t.Errorf("%q: tracing is on", env)
		}
	}
	var off *Tracer
	header := Header(valid)
	allocations := testing.AllocsPerRun(100, func() {
		s := off.Span(off.Parse(header), "name", time.Time{}, Job("id"), Items(1))
		s.Set(Code("x"))
		s.Link(s.Trace())
		s.End(nil)
		off.Root(off.Derive(nil), "name", time.Time{}, Node(1)).End(nil)
		NewContext(context.Background(), s.Trace())
	})
	if allocations != 0 {
		t.Errorf("%v allocations while off", allocations)
	}
	if off.Provider() != nil || off.Stop(t.Context()) != nil || c.Requests() != 0 {
		t.Error("a nil tracer does something")
	}
}

// What would send spans another way than this program does is refused by name.
func TestBadEnvironment(t *testing.T) {
	const good = "http://localhost:4318"
	for _, env := range [][]string{
		{envEndpoint, good, envProtocol, "grpc"},
		{envEndpoint, good, prefix + "TRACES_PROTOCOL", "http/json"},
		{envEndpoint, good, envExporter, "jaeger"},
	} {
		clean(t, env...)
		tracer, err := Start(t.Context(), "s", "i", "v", slog.New(slog.DiscardHandler))
		if err == nil || tracer != nil || !strings.Contains(err.Error(), "PROTOCOL") && !strings.Contains(err.Error(), envExporter) {
			t.Errorf("%q: %v", env, err)
		}
	}
}

// What the SDK can't read is in the program's log, without passwords.
func TestUnreadableEnvironment(t *testing.T) {
	const good = "http://127.0.0.1:1"
	for _, env := range [][]string{
		{envEndpoint, "http://user:hunter2@[::1"},
		{envEndpoint, good, prefix + "TIMEOUT", "10s"},
		{envEndpoint, good, prefix + "HEADERS", "hunter2"},
		{envEndpoint, good, prefix + "CERTIFICATE", "/nowhere.pem"},
		{envEndpoint, good, envSampler, "sometimes"},
		{envEndpoint, good, envSampler, "traceidratio", envArgument, "1.5"},
	} {
		clean(t, env...)
		var out bytes.Buffer
		tracer, err := Start(t.Context(), "s", "i", "v", slog.New(slog.NewTextHandler(&out, nil)))
		if err != nil {
			t.Errorf("%q: %v", env, err)
			continue
		}
		stop(t, tracer)
		if log := out.String(); !strings.Contains(log, "OpenTelemetry") || strings.Contains(log, "hunter2") {
			t.Errorf("%q: the log has %q", env, log)
		}
	}
}

// The sampler decides of traces that begin here; a parent decides of others only
// where the sampler says so.
func TestSampler(t *testing.T) {
	unsampled := valid[:53] + "00"
	for _, c := range []struct {
		name, argument                      string
		alone, underSampled, underUnsampled bool
	}{
		{"", "", true, true, false},
		{"always_on", "", true, true, true},
		{"always_off", "", false, false, false},
		{"traceidratio", "0", false, false, false},
		{"traceidratio", "", true, true, true},
		{"parentbased_always_off", "", false, true, false},
		{"PARENTBASED_TRACEIDRATIO", "0", false, true, false},
	} {
		clean(t, envEndpoint, "http://127.0.0.1:1", envSampler, c.name, envArgument, c.argument)
		tracer, err := newTracer(t.Context(), discard{}, "s", "i", "v")
		if err != nil {
			t.Fatal(err)
		}
		sampled := func(parent string) bool { return Sampled(tracer.Span(parent, "x", time.Time{}).Trace()) }
		if got := sampled(""); got != c.alone {
			t.Errorf("%s %s: alone %v", c.name, c.argument, got)
		}
		if got := sampled(valid); got != c.underSampled {
			t.Errorf("%s %s: under a sampled parent %v", c.name, c.argument, got)
		}
		if got := sampled(unsampled); got != c.underUnsampled {
			t.Errorf("%s %s: under an unsampled parent %v", c.name, c.argument, got)
		}
		derived := tracer.Derive([]byte("seed"))
		if root := tracer.Root(derived, "x", time.Time{}); Sampled(derived) != c.alone || root.Trace() != derived {
			t.Errorf("%s %s: derived %s, root %s", c.name, c.argument, derived, root.Trace())
		}
		stop(t, tracer)
	}
}

// One signature of a device may serve a thousand messages: each has its link.
func TestLinks(t *testing.T) {
	c := otlptest.Start(t)
	clean(t, envEndpoint, c.URL)
	tracer := start(t)
	span := tracer.Span("", "call", time.Time{})
	for range maxLinks {
		span.Link(tracer.Span("", "served", time.Time{}).Trace())
	}
	span.End(nil)
	stop(t, tracer)
	if n := len(c.Spans()[0].Links); n != maxLinks {
		t.Errorf("%d links, want %d", n, maxLinks)
	}
}

// A collector that is away costs a log line, which is short, and nobody waits.
func TestCollectorAway(t *testing.T) {
	clean(t, envEndpoint, "http://127.0.0.1:1", prefix+"HEADERS", "token=hunter2")
	begun := time.Now()
	told := sendOne(t)
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	if !strings.Contains(told, "spans not sent") || len(told) > 1000 || strings.Contains(told, "hunter2") {
		t.Errorf("the log has %q", told)
	}
}

// An error of any length, of any bytes, is told in part.
func TestClip(t *testing.T) {
	for in, want := range map[string]string{"short": "short", strings.Repeat("x", 9): "xxxxxxxx", "1234567é": "1234567", "a\xffb": "ab"} {
		if got := clip(in, 8); got != want {
			t.Errorf("clip(%q) = %q, want %q", in, got, want)
		}
	}
}

func BenchmarkOff(b *testing.B) {
	var off *Tracer
	for b.Loop() {
		off.Span("", "name", time.Time{}, Job("id"), Items(1)).End(nil)
	}
}

func BenchmarkOn(b *testing.B) {
	tracer, err := newTracer(b.Context(), discard{}, "s", "i", "v")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		tracer.Span(valid, "name", time.Time{}, Job("id"), attribute.Int("n", 1)).End(nil)
	}
}
