package keyprovider

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// The pause between two attempts, doubling, and each half as long to half as
// long again: nodes that were throttled together don't come back together.
// AWS counts its quotas by the second, and the pauses of 4 attempts are 1.4 s.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// retried is one call: attempts, until one of them succeeds or fails for a
// reason that does not pass by itself.
func retried[T any](ctx context.Context, g *guarded, call func(context.Context) (T, error)) (T, error) {
	for attempt, pause := 1, firstRetry; ; attempt, pause = attempt+1, min(2*pause, lastRetry) {
		out, err := bounded(ctx, g, call)
		if !ReasonOf(err).Temporary() || attempt >= g.policy.Attempts {
			return out, err
		}
		g.rest(ctx, pause/2+rand.N(pause))
		if ended := g.ended(ctx); ended != nil {
			return out, fmt.Errorf("%w; attempt %d of %d, then: %w", err, attempt, g.policy.Attempts, ended)
		}
	}
}

// rest waits for d, or until there is nothing to wait for any more.
func (g *guarded) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-g.closed:
	}
}
