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

// sendTime is how long a command that is done waits for a collector.
const sendTime = 2 * time.Second

// startSpans gives what a client makes its spans with, if the environment names
// a collector for them, and what sends them off.
func startSpans(ctx context.Context, name string) (_ trace.TracerProvider, send func(), err error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	tracer, err := tracing.Start(ctx, "frostctl", name, command.Version(), log)
	if err != nil {
		return nil, nil, err
	}
	return tracer.Provider(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), sendTime)
		defer cancel()
		if err := tracer.Stop(ctx); err != nil {
			log.Warn("tracing", "err", err)
		}
	}, nil
}
