package tracing

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

type contextKey struct{}

// NewContext carries a traceparent to code that shares work among many.
// For "" it is ctx itself.
func NewContext(ctx context.Context, trace string) context.Context {
	if trace == "" {
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, trace)
}

// FromContext is the traceparent that NewContext put there, or "".
func FromContext(ctx context.Context) string {
	trace, _ := ctx.Value(contextKey{}).(string)
	return trace
}

// Remote is ctx with the traceparent of FromContext as OpenTelemetry has it, for code that
// makes spans beneath it.
func Remote(ctx context.Context) context.Context {
	parent := FromContext(ctx)
	if parent == "" {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, spanContext(parent))
}
