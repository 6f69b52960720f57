// Package tracing follows one job across the programs that work on
// it, as OpenTelemetry spans.
//
// It is off unless the environment names a collector; then Start gives a nil
// *Tracer, all methods of which do nothing. What ties the
// programs together is one W3C traceparent of 55 bytes, in a header beside
// the job, its tasks and its result:
//
//	client sign ── JOB ──> gateway job ── TASK ──> worker deal, certify
//	                                  └──────> worker commit, share
//
// A traceparent is not signed and proves nothing: it only decides under which
// trace a span is filed. Spans carry ids, counts and
// times, never what is signed or who holds it.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope names the spans' origin.
const scope = "github.com/frostfleet/frostfleet"

// Tracer makes the spans of one program. A nil *Tracer makes none. All methods
// may be called concurrently; none waits for the collector but Stop.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// Start returns the tracer of a program, or nil where the environment does not
// ask for one. The collector may be away: spans that could not be sent are
// dropped, and logged.
func Start(ctx context.Context, service, instance, version string, log *slog.Logger) (*Tracer, error) {
	if on, err := enabled(); err != nil || !on {
		return nil, err
	}
	logTo(log)
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	return newTracer(ctx, &loggedExporter{exporter, log}, service, instance, version)
}

func newTracer(ctx context.Context, exporter sdk.SpanExporter, service, instance, version string) (*Tracer, error) {
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", service),
		attribute.String("service.instance.id", instance),
		attribute.String("service.version", version),
	), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("tracing: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	limits := sdk.NewSpanLimits()
	limits.LinkCountLimit = max(limits.LinkCountLimit, maxLinks)
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about),
		sdk.WithIDGenerator(ids{}), sdk.WithRawSpanLimits(limits)) // and the sampler that the environment names
	return &Tracer{provider, provider.Tracer(scope, trace.WithInstrumentationVersion(version))}, nil
}

// maxLinks is as many digests as one signature of a device serves.
const maxLinks = 1 << 10

// Provider is what a library takes that makes spans of its own, such as
// package client; nil if t is.
func (t *Tracer) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// Stop sends what is left until ctx ends.
func (t *Tracer) Stop(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("tracing: the last spans were not sent: %w", err)
	}
	return nil
}

// Span begins a span under parent, or a trace of its own if that is "". A zero
// start is now.
func (t *Tracer) Span(parent, name string, start time.Time, attrs ...Attribute) *Span {
	if t == nil {
		return nil
	}
	return t.start(withParent(parent), name, start, attrs)
}

// Root begins the very span that Derive named. Only the first delivery of a job
// does; later ones are its children.
func (t *Tracer) Root(derived, name string, start time.Time, attrs ...Attribute) *Span {
	if t == nil {
		return nil
	}
	return t.start(withIDs(context.Background(), spanContext(derived)), name, start, attrs)
}

// start copies attrs, so that callers' lists stay on their stacks while
// tracing is off.
func (t *Tracer) start(ctx context.Context, name string, start time.Time, attrs []Attribute) *Span {
	opts := []trace.SpanStartOption{trace.WithAttributes(append([]Attribute(nil), attrs...)...)}
	if !start.IsZero() {
		opts = append(opts, trace.WithTimestamp(start))
	}
	_, span := t.tracer.Start(ctx, name, opts...)
	return &Span{span}
}

// Span is one span. A nil *Span takes everything and does nothing.
type Span struct{ span trace.Span }

// Trace is the traceparent for what happens below this span.
func (s *Span) Trace() string {
	if s == nil {
		return ""
	}
	return Format(s.span.SpanContext())
}

// Set adds attributes.
func (s *Span) Set(attrs ...Attribute) {
	if s != nil {
		s.span.SetAttributes(append([]Attribute(nil), attrs...)...)
	}
}

// Link says that this span also served another one, which may be of another
// trace. What is no traceparent is left out.
func (s *Span) Link(other string) {
	if s == nil {
		return
	}
	if sc := spanContext(other); sc.IsValid() {
		s.span.AddLink(trace.Link{SpanContext: sc})
	}
}

// End ends the span now; err, if any, says how it failed.
func (s *Span) End(err error) { s.EndAt(time.Time{}, err) }

// maxError bounds the text of an error in a span, in bytes.
const maxError = 256

// EndAt ends the span at a time; zero is now.
func (s *Span) EndAt(at time.Time, err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, clip(err.Error(), maxError))
	}
	s.span.End(trace.WithTimestamp(at)) // which takes zero for now
}
