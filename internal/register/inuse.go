package register

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
)

// Whether programs of the fleet run: KEYS is made anew only while none do.

// ErrInUse says that programs of the fleet run.
var ErrInUse = errors.New("programs of the fleet run")

// listenTime is longer than a program that runs is silent.
var listenTime = 3 * time.Second

// InUse fails with ErrInUse if a node answers that an Asker asks, or if a node or a gateway
// publishes heartbeats. Nothing vouches for that: whoever can speak on the bus can hold it up.
func InUse(ctx context.Context, b *bus.Bus, askers ...*Asker) error {
	before, err := heartbeats(ctx, b)
	if err != nil {
		return err
	}
	for _, a := range askers {
		for _, n := range AskAll(ctx, a) {
			if n.Error == "" {
				return fmt.Errorf("%w: node %d answers; stop all workers and gateways first", ErrInUse, n.Node)
			}
		}
	}
	select {
	case <-time.After(listenTime):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := heartbeats(ctx, b)
	if err != nil {
		return err
	}
	for subject, seq := range after {
		if seq != before[subject] {
			return fmt.Errorf("%w: something publishes %s; stop all workers and gateways first", ErrInUse, subject)
		}
	}
	return nil
}

func heartbeats(ctx context.Context, b *bus.Bus) (map[string]uint64, error) {
	all := map[string]uint64{}
	there, err := b.Exists(ctx, bus.Presence)
	if err != nil || !there {
		return all, err
	}
	messages, err := b.Slots(ctx, bus.Presence, "presence.>")
	for _, m := range messages {
		all[m.Subject] = m.Seq
	}
	return all, err
}
