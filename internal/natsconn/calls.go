package natsconn

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// call is a request that waits for an answer. A lost connection or a denied
// permission ends it at once.
type call struct {
	subject string
	cancel  context.CancelCauseFunc
}

// Begin gives a request to a subject a context that ends with the first of
// ctx, the connection's AckTimeout, a denied permission, a lost connection, and
// done; context.Cause says which.
func (c *Conn) Begin(ctx context.Context, subject string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ctx, stop := context.WithTimeout(ctx, c.opt.AckTimeout)
	waits := &call{subject, cancel}
	c.calls.Store(waits, nil)
	return ctx, func() {
		c.calls.Delete(waits)
		stop()
		cancel(nil)
	}
}

// fail ends the calls that wait for a subject; for "", all.
func (c *Conn) fail(subject string, cause error) {
	c.calls.Range(func(waits, _ any) bool {
		if w := waits.(*call); subject == "" || w.subject == subject {
			w.cancel(cause)
		}
		return true
	})
}

// Ask is one question with one answer.
func (c *Conn) Ask(ctx context.Context, subject string, data []byte) (*nats.Msg, error) {
	ctx, done := c.Begin(ctx, subject)
	defer done()
	m, err := c.RequestWithContext(ctx, subject, data)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return m, err
}

// Store makes one attempt to store a message in JetStream and returns its
// sequence. Classify says what the error means.
func (c *Conn) Store(ctx context.Context, m *nats.Msg) (seq uint64, err error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if c.Status() == nats.RECONNECTING {
		return 0, ErrDisconnected // nothing was sent
	}
	waiting, done := c.Begin(ctx, m.Subject)
	defer done()
	ack, err := c.JS.PublishMsg(waiting, m, jetstream.WithRetryAttempts(0))
	if err == nil {
		return ack.Sequence, nil
	}
	if cause := context.Cause(waiting); cause != nil && errors.Is(err, context.Canceled) {
		err = cause
	}
	if errors.Is(err, ErrDisconnected) { // it was under way
		err = fmt.Errorf("%w: connection lost", ErrUnknown)
	}
	return 0, err
}
