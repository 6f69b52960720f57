package launch

import (
	"context"
	"log/slog"
	"time"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/tracing"
)

// sendTime is how long a program that stops waits for its traces' collector.
const sendTime = 5 * time.Second

// trace starts a program's tracer, if the environment names a collector. stop
// sends what is left.
func trace(ctx context.Context, program, name string, log *slog.Logger) (tracer *tracing.Tracer, stop func(), err error) {
	tracer, err = tracing.Start(ctx, program, name, command.Version(), log)
	return tracer, func() {
		ctx, cancel := context.WithTimeout(context.Background(), sendTime)
		defer cancel()
		if err := tracer.Stop(ctx); err != nil {
			log.Warn("tracing", "err", err)
		}
	}, err
}
