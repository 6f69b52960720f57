package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/pool"
)

// Consumer hands deliveries to a handler until it is stopped.
type Consumer struct {
	b       *Bus
	stream  Stream
	durable string
	made    *durable // as it is made where it is missing
	handler func(Delivery)
	most    int           // handlers
	active  int           // of them at work; serve's
	lost    int           // requests in a row that were lost; serve's
	done    chan struct{} // a handler has ended
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// Consume hands every message of a declared durable to handler, in up to
// handlers goroutines. Each delivery is acknowledged by the handler or comes
// again; how often it came is Delivery.Attempt. A handler that panics is logged,
// and its delivery comes again after a second.
func (b *Bus) Consume(ctx context.Context, stream Stream, durable string, handlers int,
	handler func(Delivery)) (*Consumer, error) {
	declared := b.durable(stream, durable)
	if declared == nil {
		return nil, fmt.Errorf("bus: stream %s has no consumer %q in nats/streams.json", stream, clip(durable))
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &Consumer{b: b, stream: stream, durable: durable, made: declared, handler: handler,
		most: handlers, done: make(chan struct{}, handlers), cancel: cancel}
	if err := c.ensure(ctx); err != nil {
		cancel()
		return nil, err
	}
	if !b.own(c) {
		cancel()
		return nil, ErrClosed
	}
	c.wg.Go(func() { c.serve(ctx) })
	return c, nil
}

// durable is the declared consumer of a stream; nil if there is none.
func (b *Bus) durable(stream Stream, name string) *durable {
	for _, d := range b.streams() {
		if d.Name == stream {
			return d.durable(name)
		}
	}
	return nil
}

// ensure binds to the durable, creating it if it is missing.
func (c *Consumer) ensure(ctx context.Context) error {
	name := c.b.names.stream(c.stream)
	ctx, cancel := context.WithTimeout(ctx, min(c.b.opt.AckTimeout, ensureTime))
	defer cancel()
	_, err := c.b.nc.JS.Consumer(ctx, name, c.durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		var info streamInfo
		if info, err = c.b.info(ctx, c.stream); err == nil { // it may have other replicas than at the start
			_, err = c.b.nc.JS.CreateConsumer(ctx, name, c.made.config(c.b.names, info.replicas))
		}
	}
	if errors.Is(err, jetstream.ErrConsumerExists) { // another process was first
		err = nil
	}
	if err != nil {
		return fmt.Errorf("consumer %s of stream %s: %w", c.durable, name, err)
	}
	return nil
}

// ensureTime is short: a consumer that has no leader does not answer, and nothing is
// asked for meanwhile. Whoever is answered late asks again.
const ensureTime = time.Second

// Stop asks for no more messages, waits for the handlers at work, and ends.
func (c *Consumer) Stop() {
	c.cancel()
	c.b.disown(c)
	c.wg.Wait()
}

// serve asks for messages until ctx ends, and begins again after a failure.
func (c *Consumer) serve(ctx context.Context) {
	for pause := newPause(); ctx.Err() == nil; {
		came, err := c.pull(ctx)
		if came {
			pause.Reset()
			c.lost = 0
		}
		if err == nil {
			continue // reconnected, or stopped
		}
		if errors.Is(err, errLost) && c.again(err) {
			_ = backoff.Sleep(ctx, lostPause) // its end ends the loop
			continue                          // a new leader of the consumer knows nothing of the request
		}
		c.b.log.Warn("consumer failed, trying again", "stream", c.stream, "durable", c.durable, "error", err)
		if pause.Wait(ctx) != nil {
			return
		}
		if err := c.ensure(ctx); err != nil {
			c.b.log.Warn("consumer is not there", "stream", c.stream, "error", err)
		}
	}
}

// checkLost is how many requests are lost in a row before the consumer is looked
// for, which without a leader takes as long as an answer may.
const (
	checkLost = 4
	lostPause = 50 * time.Millisecond
)

// again counts a lost request, and is false where the consumer may be gone.
func (c *Consumer) again(err error) bool {
	c.lost++
	if c.lost == 1 {
		c.b.log.Warn("the server forgot a request for messages, asking again",
			"stream", c.stream, "durable", c.durable, "error", err)
	}
	return c.lost%checkLost != 0
}

func (c *Consumer) handle(m *nats.Msg) {
	d := c.delivery(m)
	defer func() {
		if p := recover(); p != nil {
			c.b.log.Error("handler panicked", "stream", c.stream, "subject", d.msg.Subject, "seq", d.msg.Seq,
				"attempt", d.attempt, "panic", fmt.Sprintf("%T", p), "at", pool.Trace())
			if err := d.Nak(time.Second); err != nil {
				c.b.log.Warn("giving a delivery back failed", "error", err)
			}
		}
	}()
	c.b.opt.Observe.Delivered(c.durable, d.attempt > 1)
	c.handler(d)
}
