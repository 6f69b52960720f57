package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Publish stores a message and returns its sequence once the server has it
// (on disk, for a file stream). While nothing can have been stored (no connection, no
// stream yet) it tries again until ctx ends. Errors: *BusyError,
// ErrExists (RESULTS), ErrUnknown, ErrTooLarge, ErrDenied, ErrClosed. After
// ErrUnknown a repetition may store the message twice; where that matters use
// PublishSlot.
func (b *Bus) Publish(ctx context.Context, subject string, data []byte, header map[string][]string) (uint64, error) {
	m, err := b.outgoing(subject, data, header)
	if err != nil {
		return 0, err
	}
	stream, err := b.streamOf(subject)
	if err != nil {
		return 0, err
	}
	for wait := (backoff{}); ; {
		seq, err := b.store(ctx, stream, subject, m)
		if err == nil || !errors.Is(err, ErrDisconnected) && !errors.Is(err, ErrNoStream) {
			return seq, err
		}
		if wait.sleep(ctx) != nil {
			return 0, fmt.Errorf("%w (%w)", err, ctx.Err())
		}
	}
}

// store makes one attempt, with a place among the publishes in flight, and
// tells the observer.
func (b *Bus) store(ctx context.Context, stream Stream, subject string, m *nats.Msg) (seq uint64, err error) {
	start := time.Now()
	defer func() { b.opt.Observe.Published(stream, outcome(err), time.Since(start)) }()
	select {
	case b.inFlight <- struct{}{}:
		defer func() { <-b.inFlight }()
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-b.life.Done():
		return 0, ErrClosed
	}
	start = time.Now()
	return b.attempt(ctx, subject, m)
}

// attempt is one round trip.
func (b *Bus) attempt(ctx context.Context, subject string, m *nats.Msg) (uint64, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if b.nc.Status() == nats.RECONNECTING {
		return 0, fmt.Errorf("%s: %w", subject, ErrDisconnected) // nothing was sent
	}
	waiting, done := b.flights.start(ctx, b.opt.AckTimeout, m.Subject)
	defer done()
	ack, err := b.js.PublishMsg(waiting, m, jetstream.WithRetryAttempts(0))
	if err == nil {
		return ack.Sequence, nil
	}
	if cause := context.Cause(waiting); cause != nil && errors.Is(err, context.Canceled) {
		// It was under way: a lost connection leaves the outcome open.
		if errors.Is(cause, ErrDisconnected) {
			return 0, fmt.Errorf("%s: %w: connection lost", subject, ErrUnknown)
		}
		err = cause
	}
	return 0, classify(subject, err)
}

// expecting sets the condition of a slot's write.
func expecting(m *nats.Msg, seq uint64) {
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(seq, 10))
}
