package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// formingCodes are the refusals of a cluster that has no leader yet, or too few
// servers for the replicas.
var formingCodes = []jetstream.ErrorCode{
	10005, // no suitable peers for placement
	10008, // JetStream system temporarily unavailable
	10009, // not the leader
}

// isForming reports whether an attempt failed in a way that passes once the
// servers of a cluster have found each other.
func isForming(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return slices.Contains(formingCodes, api.ErrorCode)
	}
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrDisconnected)
}

// onceFormed repeats an attempt until ctx ends while a cluster is forming.
func (b *Bus) onceFormed(ctx context.Context, try func(context.Context) error) error {
	pause := newPause()
	for logged := (time.Time{}); ; {
		attempt, cancel := context.WithTimeout(ctx, b.opt.AckTimeout)
		err := try(attempt)
		cancel()
		if err == nil || !isForming(err) {
			return err
		}
		if ended := pause.Wait(ctx); ended != nil {
			return fmt.Errorf("%w (last attempt: %w)", ended, err)
		}
		if time.Since(logged) > logEvery {
			logged = time.Now()
			b.log.Warn("waiting for the servers of the cluster", "error", err)
		}
	}
}
