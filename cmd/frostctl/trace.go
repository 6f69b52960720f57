package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/tracing"
)

// spans are those of one run of frostctl, if the environment names a collector
// for them. Commands that speak to a fleet start them; run sends them off.
type spans struct{ tracer *tracing.Tracer }

type spansKey struct{}

func withSpans(ctx context.Context) (context.Context, *spans) {
	s := new(spans)
	return context.WithValue(ctx, spansKey{}, s), s
}

// tracerProvider is what a client makes its spans with; nil where tracing is off.
func tracerProvider(ctx context.Context, name string) (trace.TracerProvider, error) {
	s, ok := ctx.Value(spansKey{}).(*spans)
	if !ok {
		return nil, nil
	}
	if s.tracer == nil {
		tracer, err := tracing.Start(ctx, "frostctl", name, command.Version(),
			slog.New(slog.NewTextHandler(os.Stderr, nil)))
		if err != nil {
			return nil, err
		}
		s.tracer = tracer
	}
	return s.tracer.Provider(), nil
}

// sendTime is how long a command that is done waits for a collector.
const sendTime = 2 * time.Second

func (s *spans) send() {
	ctx, cancel := context.WithTimeout(context.Background(), sendTime)
	defer cancel()
	if err := s.tracer.Stop(ctx); err != nil {
		slog.New(slog.NewTextHandler(os.Stderr, nil)).Warn("tracing", "err", err)
	}
}
