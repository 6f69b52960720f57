package presence

import (
	"context"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a process that starts gets the subject.

// Waiting is what Take waits for; nil if nothing.
func (b *Beat) Waiting() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting
}

func (b *Beat) wait(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = err
}

// Take makes the subject this process's. It waits while it has no contact, and fails
// with a *TwinError if another process goes on with it.
func (b *Beat) Take(ctx context.Context) error {
	defer b.wait(nil)
	for pause := (backoff.Backoff{Min: look, Max: Every}); ; {
		twin, err := b.listen(ctx)
		if twin != nil {
			b.lost(ctx, twin)
			return twin
		}
		if err == nil {
			mine := b.mine
			if err := b.beat(ctx, false); err != nil {
				continue // somebody was quicker: listen again
			}
			if b.mine != mine {
				return nil
			}
			err = fmt.Errorf("heartbeat not stored yet: %w", b.why)
		}
		b.wait(fmt.Errorf("waiting for PRESENCE: %w", err))
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}

// listen returns whether the subject is somebody else's: who has it must let
// TakeOver pass without going on with the chain.
func (b *Beat) listen(ctx context.Context) (*TwinError, error) {
	before, err := b.at(ctx)
	if err != nil || before == nil {
		return nil, err
	}
	waiting := fmt.Errorf("waiting %s: another process may still run under %s (%s)",
		TakeOver, b.cfg.Subject, before.Process())
	b.wait(waiting)
	b.cfg.Log.Info(waiting.Error())
	from := b.last
	for end := time.Now().Add(TakeOver); time.Now().Before(end); {
		if err := backoff.Sleep(ctx, look); err != nil {
			return nil, err
		}
		now, err := b.at(ctx)
		if err != nil {
			return nil, err
		}
		switch {
		case now == nil:
			return nil, nil
		case b.last < from: // the stream began anew, and somebody's chain with it
			from, end = b.last, time.Now().Add(TakeOver)
		case b.last != from && now.After >= from:
			return &TwinError{Subject: b.cfg.Subject, Other: *now}, nil
		}
	}
	b.past = from
	return nil, nil
}

// at reads who has the subject; nil if nobody.
func (b *Beat) at(ctx context.Context) (*wire.Heartbeat, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	return b.reread(ctx)
}
