package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// Publish stores a message and returns its sequence once the server has it
// (on disk, for a file stream). It retries until ctx ends, unless no repetition
// can succeed: ErrExists (RESULTS, REQUESTS), ErrTooLarge, ErrDenied, ErrClosed, ErrSubject.
// An attempt of unknown outcome is repeated, which may store the message twice;
// where that matters use PublishSlot.
func (b *Bus) Publish(ctx context.Context, subject string, data []byte, header map[string][]string) (uint64, error) {
	m, stream, err := b.outgoing(subject, data, header)
	if err != nil {
		return 0, err
	}
	for retry := b.newRetry(subject); ; {
		seq, err := b.store(ctx, stream, subject, m)
		if err == nil || isPermanent(err) {
			return seq, err
		}
		if err := retry.wait(ctx, err); err != nil {
			return 0, err
		}
	}
}

// Offer is Publish for what others have sent, who wait: where the stream has no room or is
// not there, it says so at once, with a *natsconn.BusyError or ErrNoStream.
func (b *Bus) Offer(ctx context.Context, subject string, data []byte, header map[string][]string) error {
	m, stream, err := b.outgoing(subject, data, header)
	if err != nil {
		return err
	}
	for retry := b.newRetry(subject); ; {
		_, err := b.store(ctx, stream, subject, m)
		_, full := errors.AsType[*natsconn.BusyError](err)
		if err == nil || isPermanent(err) || full || errors.Is(err, ErrNoStream) {
			return err
		}
		if err := retry.wait(ctx, err); err != nil {
			return err
		}
	}
}

// retry paces the attempts of one publish. Callers don't retry on top of it.
type retry struct {
	b       *Bus
	subject string
	pause   *backoff.Backoff
	failed  int
}

// loudTry is the failure that is logged; a blip is not.
const loudTry = 3

func (b *Bus) newRetry(subject string) *retry {
	return &retry{b: b, subject: subject, pause: newPause()}
}

// wait returns an error once ctx has ended.
func (r *retry) wait(ctx context.Context, err error) error {
	if r.failed++; r.failed == loudTry && ctx.Err() == nil {
		r.b.log.Warn("message not published yet, retrying", "subject", r.subject, "error", err)
	}
	if r.pause.Wait(ctx) != nil {
		return fmt.Errorf("publishing to %s: %w (last attempt: %w)", r.subject, ctx.Err(), err)
	}
	if passed(ctx) {
		return fmt.Errorf("publishing to %s: %w (last attempt: %w)", r.subject, context.DeadlineExceeded, err)
	}
	return nil
}

// passed reports whether a deadline is over by the clock. Its timer stands still while
// the machine sleeps, and does not hear of a clock that is set.
func passed(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Now().Round(0).After(deadline.Round(0))
}

// store makes one attempt, as one of the publishes in flight, and reports it to
// the observer.
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
	send := b.nc.Store
	if g := b.together[stream]; g != nil && !isConditional(m) {
		send = g.Store
	}
	if seq, err = send(ctx, m); err != nil {
		err = outcomeOf(stream, subject, err)
		if ctx.Err() != nil && time.Since(start) < unackedAfter {
			return 0, err // its caller gave up, early
		}
	}
	b.unacked.note(stream, start, err)
	return seq, err
}

// isConditional: it has the condition of a slot's write, which a write beside it may change.
func isConditional(m *nats.Msg) bool { return m.Header[jetstream.ExpectedLastSubjSeqHeader] != nil }

// expecting sets the condition of a slot's write.
func expecting(m *nats.Msg, seq uint64) {
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(seq, 10))
}
