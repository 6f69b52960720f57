package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/wire"
)

const (
	ackTimeout = 5 * time.Second        // one attempt to publish, or to read a stored result
	busyRetry  = 200 * time.Millisecond // the hint in a BusyError
	// defaultStarting is for a fleet that starts together with its client.
	defaultStarting = 10 * time.Second
)

// errUnknown: the job may or may not be stored.
var errUnknown = errors.New("the server's answer did not arrive")

// submit publishes a job and returns once it is stored. Patient, it also waits
// while the fleet is busy, and for a while if its streams are not there yet. An attempt of unknown outcome is repeated: the
// same job twice is the same job.
func (c *Client) submit(ctx context.Context, j *prepared, patient bool) (*pending, error) {
	p, err := c.register(j)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithDeadline(ctx, j.job.Expires)
	defer cancel()
	began := time.Now()
	for wait := (backoff{}); ; {
		err := c.publish(ctx, j)
		if err == nil || p.answered() {
			return p, nil
		}
		hint := time.Duration(0)
		var busy *BusyError
		switch {
		case errors.Is(err, errUnknown):
			patient = true // it may be stored: "busy" would be misleading from here on
		case errors.As(err, &busy) && patient:
			hint = busy.RetryAfter
		case errors.Is(err, ErrNoStream) && patient && time.Since(began) < c.starting:
		default:
			c.unregister(p)
			return nil, err
		}
		if wait.sleep(ctx, hint) != nil {
			c.unregister(p)
			return nil, fmt.Errorf("job %s: publishing: %w (last attempt: %w)", j.job.ID, ctx.Err(), err)
		}
	}
}

// publish makes one attempt: *BusyError, ErrNoStream, ErrDenied, errUnknown.
func (c *Client) publish(ctx context.Context, j *prepared) error {
	m := &nats.Msg{
		Subject: wire.JobSubject(c.manifest.Fleet, j.Kind, c.name),
		Header:  nats.Header{},
		Data:    j.Payload,
	}
	m.Header.Set(wire.HeaderClient, c.name)
	m.Header.Set(wire.HeaderSignature, j.SignatureHeader())
	inject(ctx, m.Header)
	attempt, done := c.attempts.start(ctx, m.Subject, ackTimeout)
	defer done()
	_, err := c.js.PublishMsg(attempt, m, jetstream.WithRetryAttempts(0))
	if err == nil {
		return nil
	}
	if cause := context.Cause(attempt); errors.Is(cause, ErrDenied) {
		return cause
	}
	return classify(m.Subject, err)
}

// Codes of the JetStream API for "full", and the words that distinguish the kinds of
// 10077 it is: the server has no codes of their own for those.
var (
	fullCodes = []jetstream.ErrorCode{10002, 10023, 10028, 10047}
	fullWords = []string{"maximum messages per subject exceeded", "maximum messages exceeded", "maximum bytes exceeded"}
)

const codeStoreFailed jetstream.ErrorCode = 10077

func classify(subject string, err error) error {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api):
		if isFull(api) {
			return &BusyError{RetryAfter: busyRetry, Reason: api.Description}
		}
		return fmt.Errorf("publishing to %s: %w", subject, err)
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("publishing to %s: %w", subject, ErrNoStream)
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return fmt.Errorf("publishing to %s: %w", subject, ErrClosed)
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("publishing to %s: %w: set max_payload = 4MB in the server's configuration", subject, err)
	}
	return fmt.Errorf("publishing to %s: %w: %w", subject, errUnknown, err)
}

func isFull(api *jetstream.APIError) bool {
	for _, code := range fullCodes {
		if api.ErrorCode == code {
			return true
		}
	}
	for _, words := range fullWords {
		if api.ErrorCode == codeStoreFailed && strings.Contains(strings.ToLower(api.Description), words) {
			return true
		}
	}
	return false
}

// backoff waits the hint, or 50 ms doubling to 5 s, with a random half.
type backoff struct{ wait time.Duration }

func (b *backoff) sleep(ctx context.Context, hint time.Duration) error {
	b.wait = min(max(2*b.wait, 50*time.Millisecond), 5*time.Second)
	d := max(b.wait, hint)
	return sleep(ctx, d/2+rand.N(d/2)) // jitter, not a secret
}
