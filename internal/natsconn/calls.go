package natsconn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// calls are the requests that wait for an answer, by subject. A lost
// connection or a denied permission ends them at once.
type calls struct {
	mu      sync.Mutex
	next    uint64
	waiting map[uint64]call
}

type call struct {
	subject string
	cancel  context.CancelCauseFunc
}

// Begin gives a request to a subject a context that ends with the first of
// ctx, the connection's AckTimeout, a denied permission, a lost connection, and
// done; context.Cause says which.
func (c *Conn) Begin(ctx context.Context, subject string) (_ context.Context, done func()) {
	return c.calls.begin(ctx, c.opt.AckTimeout, subject)
}

func (c *calls) begin(ctx context.Context, limit time.Duration, subject string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ctx, stop := context.WithTimeout(ctx, limit)
	c.mu.Lock()
	if c.waiting == nil {
		c.waiting = make(map[uint64]call)
	}
	c.next++
	id := c.next
	c.waiting[id] = call{subject: subject, cancel: cancel}
	c.mu.Unlock()
	return ctx, func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
		stop()
		cancel(nil)
	}
}

func (c *calls) fail(subject string, cause error) {
	c.end(func(s string) bool { return s == subject }, cause)
}

func (c *calls) failAll(cause error) {
	c.end(func(string) bool { return true }, cause)
}

func (c *calls) end(match func(string) bool, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.waiting {
		if match(w.subject) {
			w.cancel(cause)
		}
	}
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
