package client

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// A job is one span, from its publication to its checked result, beneath
// whatever span the caller's context holds. Its traceparent goes with the job,
// so that what the fleet does for it is filed beneath it. Without a TracerProvider
// there is no span, and the caller's own goes with the job.

const headerTrace = "traceparent" // W3C Trace Context

func newTracer(p trace.TracerProvider) trace.Tracer {
	if p == nil {
		p = noop.NewTracerProvider()
	}
	return p.Tracer("github.com/frostfleet/frostfleet/client")
}

// begin opens a job's span.
func (c *Client) begin(ctx context.Context, j *prepared) (context.Context, trace.Span) {
	return c.tracer.Start(ctx, string(j.Kind), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("frostfleet.job", j.job.ID),
		attribute.String("frostfleet.client", c.name),
		attribute.Int("frostfleet.items", j.size()),
	))
}

// maxError bounds the text of an error in a span, in bytes.
const maxError = 256

// finish ends a span; after the first time it does nothing.
func finish(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		text := err.Error()
		span.SetStatus(codes.Error, strings.ToValidUTF8(text[:min(len(text), maxError)], ""))
	}
	span.End()
}

// inject puts the traceparent of ctx's span beside a job, and nothing else:
// neither tracestate nor baggage, which have no bounds.
func inject(ctx context.Context, h nats.Header) {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	if parent, ok := carrier[headerTrace]; ok {
		h[headerTrace] = []string{parent}
	}
}
