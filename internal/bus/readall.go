package bus

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrStalled says that no server hands out what a stream holds: replicas are away or
// damaged.
var ErrStalled = errors.New("no server has more of the stream, and it is not at its end")

// ReadAll hands fn every message that a stream holds at the call, in order, and some
// that come meanwhile, until fn fails. It reads as a follower does: the end of a
// replica that is behind, or damaged, is not the stream's. If nothing comes for a while
// it returns ErrStalled.
func (b *Bus) ReadAll(ctx context.Context, stream Stream, fn func(Message) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := 6 * b.opt.AckTimeout
	next := uint64(1) // the follower's goroutine has it until Stop
	stalled := time.AfterFunc(patience, func() { cancel(ErrStalled) })
	defer stalled.Stop()
	f, err := b.FollowToEnd(ctx, ctx, stream, 1, FollowOptions{
		Handler: func(m Message) {
			if ctx.Err() != nil {
				return
			}
			stalled.Stop()
			if err := fn(m); err != nil {
				cancel(err)
				return
			}
			next = m.Seq + 1
			stalled.Reset(patience)
		},
		Lost: func(err error) { cancel(err) },
	})
	if f != nil {
		f.Stop()
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("reading stream %s at %d: %w", stream, next, err)
	}
	return nil
}
