package tracing

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// HeaderName is the header of a traceparent: W3C Trace Context.
const HeaderName = "traceparent"

// canonical is the same name as Go's net/http spells it, and so the carriers of
// OpenTelemetry's own library.
const canonical = "Traceparent"

// size of a traceparent: version, trace id, span id and flags.
const size = 2 + 1 + 32 + 1 + 16 + 1 + 2

// Parse gives the traceparent of a message, or "" unless there is exactly one
// and it is valid. The header is untrusted.
func Parse(header map[string][]string) string {
	values := slices.Concat(header[HeaderName], header[canonical])
	if len(values) != 1 {
		return ""
	}
	return Format(spanContext(values[0]))
}

// Parse is the same where there is a tracer, and "" where there is none.
func (t *Tracer) Parse(header map[string][]string) string {
	if t == nil {
		return ""
	}
	return Parse(header)
}

// Header is what goes beside a message; nil for "".
func Header(trace string) map[string][]string {
	if trace == "" {
		return nil
	}
	return map[string][]string{HeaderName: {trace}}
}

// Format is the traceparent of a span, "" if it is of none.
func Format(sc trace.SpanContext) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), sc), carrier)
	return carrier[HeaderName]
}

// spanContext reads a traceparent; what is none gives an invalid context.
func spanContext(traceparent string) trace.SpanContext {
	return trace.SpanContextFromContext(withParent(traceparent))
}

func withParent(parent string) context.Context {
	return propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{HeaderName: parent})
}

// TraceID is the id of the whole trace, for logs and exemplars; "" if there is
// none.
func TraceID(traceparent string) string {
	if len(traceparent) != size {
		return ""
	}
	return traceparent[3:35]
}

// Sampled reports whether the trace is one that is sent to a collector.
func Sampled(traceparent string) bool { return spanContext(traceparent).IsSampled() }

// Derive gives a job that came without a traceparent one that follows from its
// signature, so that two gateways to which it is delivered file it under one
// trace. The first makes that span by Root. Programs that agree on
// OTEL_TRACES_SAMPLER agree on whether it is sampled.
func (t *Tracer) Derive(seed []byte) string {
	if t == nil {
		return ""
	}
	sum := sha256.Sum256(append([]byte("frostfleet/trace/v1\n"), seed...))
	cfg := trace.SpanContextConfig{TraceID: trace.TraceID(sum[:16]), SpanID: trace.SpanID(sum[16:24])}
	// A span that never ends is never sent; it has asked the sampler.
	_, span := t.tracer.Start(withIDs(context.Background(), trace.NewSpanContext(cfg)), "")
	return Format(span.SpanContext())
}

// ids gives spans random ids, except those of Root. Ids are no secrets.
type ids struct{}

type idsKey struct{}

func withIDs(ctx context.Context, sc trace.SpanContext) context.Context {
	return context.WithValue(ctx, idsKey{}, sc)
}

// NewIDs implements sdk.IDGenerator.
func (ids) NewIDs(ctx context.Context) (tid trace.TraceID, sid trace.SpanID) {
	if sc, _ := ctx.Value(idsKey{}).(trace.SpanContext); sc.IsValid() {
		return sc.TraceID(), sc.SpanID()
	}
	for !tid.IsValid() {
		binary.NativeEndian.PutUint64(tid[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(tid[8:], rand.Uint64())
	}
	return tid, ids{}.NewSpanID(ctx, tid)
}

// NewSpanID implements sdk.IDGenerator.
func (ids) NewSpanID(context.Context, trace.TraceID) (sid trace.SpanID) {
	for !sid.IsValid() {
		binary.NativeEndian.PutUint64(sid[:], rand.Uint64())
	}
	return sid
}
