// Package backoff is the only way in which this program pauses between two
// attempts: pauses double from Min to Max, and each has a random half, so that
// programs that failed together don't come back together.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff yields the pauses of one loop of attempts. It belongs to one
// goroutine. After a success, Reset it or take a new one.
type Backoff struct {
	Min time.Duration // the first pause, at most
	Max time.Duration // no pause is longer

	last time.Duration // the latest pause before its random half
}

// Next returns the next pause: between half of d and d, where d is Min at first
// and doubles up to Max.
func (b *Backoff) Next() time.Duration {
	b.last = min(max(2*b.last, b.Min), max(b.Min, b.Max))
	half := b.last / 2
	return half + rand.N(b.last-half+1) // jitter, not a secret
}

// Reset starts over with Min.
func (b *Backoff) Reset() { b.last = 0 }

// Wait sleeps for the next pause. It returns ctx.Err() if ctx ends first.
func (b *Backoff) Wait(ctx context.Context) error { return Sleep(ctx, b.Next()) }

// Sleep sleeps for d, without jitter. It returns ctx.Err() if ctx ends first,
// or has ended already.
func Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
