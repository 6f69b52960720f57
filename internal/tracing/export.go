package tracing

import (
	"context"
	"log/slog"
	"strings"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// loggedExporter logs spans that were not sent in the program's own log.
type loggedExporter struct {
	sdk.SpanExporter
	log *slog.Logger
}

// ExportSpans implements sdk.SpanExporter. What fails is given up: traces are
// not worth memory.
func (e *loggedExporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		// Without the collector's own words, which may repeat a token.
		text, _, _ := strings.Cut(err.Error(), "(body:")
		text = strings.TrimSpace(clip(text, maxError))
		e.log.Warn("spans not sent to the collector", "spans", len(spans), "err", text)
	}
	return nil
}

// clip bounds a text of other people's making, in bytes.
func clip(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.ToValidUTF8(text, "")
}
