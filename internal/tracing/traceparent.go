package tracing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strings"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// HeaderName is the header of a traceparent: W3C Trace Context.
const HeaderName = "traceparent"

// canonical is the same name as Go's net/http spells it, and so the carriers of
// OpenTelemetry's own library.
const canonical = "Traceparent"

// A traceparent: version 00, trace id, span id, flags.
const (
	size       = 2 + 1 + 32 + 1 + 16 + 1 + 2
	version00  = "00-"
	knownFlags = trace.FlagsSampled | trace.FlagsRandom
)

// Parse gives the traceparent of a message, or "" unless there is exactly one
// and it is valid. The header is untrusted.
func Parse(header map[string][]string) string {
	values := header[HeaderName]
	if other := header[canonical]; len(other) > 0 {
		if len(values) > 0 {
			return ""
		}
		values = other
	}
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
	if !sc.IsValid() {
		return ""
	}
	tid, sid, flags := sc.TraceID(), sc.SpanID(), [1]byte{byte(sc.TraceFlags() & knownFlags)}
	out := make([]byte, 0, size)
	out = hex.AppendEncode(append(out, version00...), tid[:])
	out = hex.AppendEncode(append(out, '-'), sid[:])
	out = hex.AppendEncode(append(out, '-'), flags[:])
	return string(out)
}

// spanContext reads a traceparent; what is none gives an invalid context.
func spanContext(traceparent string) trace.SpanContext {
	var tid trace.TraceID
	var sid trace.SpanID
	var flags [1]byte
	if len(traceparent) != size || traceparent[:3] != version00 || traceparent[35] != '-' || traceparent[52] != '-' ||
		!decode(tid[:], traceparent[3:35]) || !decode(sid[:], traceparent[36:52]) || !decode(flags[:], traceparent[53:]) {
		return trace.SpanContext{}
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: tid, SpanID: sid, TraceFlags: trace.TraceFlags(flags[0]) & knownFlags, Remote: true,
	})
}

// decode reads lower-case hexadecimal digits, the only ones that a traceparent
// has.
func decode(out []byte, digits string) bool {
	if strings.ContainsAny(digits, "ABCDEF") {
		return false
	}
	_, err := hex.Decode(out, []byte(digits))
	return err == nil
}

func under(parent string) context.Context {
	return trace.ContextWithRemoteSpanContext(context.Background(), spanContext(parent))
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
	if t.root.ShouldSample(sdk.SamplingParameters{ParentContext: context.Background(), TraceID: cfg.TraceID}).Decision == sdk.RecordAndSample {
		cfg.TraceFlags = trace.FlagsSampled
	}
	return Format(trace.NewSpanContext(cfg))
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
		fill(tid[:8])
		fill(tid[8:])
	}
	return tid, ids{}.NewSpanID(ctx, tid)
}

// NewSpanID implements sdk.IDGenerator.
func (ids) NewSpanID(context.Context, trace.TraceID) (sid trace.SpanID) {
	for !sid.IsValid() {
		fill(sid[:])
	}
	return sid
}

func fill(out []byte) {
	n := rand.Uint64()
	for i := range out {
		out[i] = byte(n >> (8 * i))
	}
}
