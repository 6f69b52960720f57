package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/pool"
)

// The server keeps a request for messages for pullExpiry. If it has not
// answered by pullPatience, the request is lost.
const (
	pullExpiry   = 20 * time.Second
	pullPatience = pullExpiry + 2*time.Second
)

// Consumer hands deliveries to a handler until it is stopped.
type Consumer struct {
	b       *Bus
	stream  Stream
	durable string
	config  jetstream.ConsumerConfig
	handler func(Delivery)
	most    int           // handlers
	active  int           // of them at work; serve's
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
	c := &Consumer{b: b, stream: stream, durable: durable, config: declared.config(b.names, 0), handler: handler,
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
	for _, d := range b.declared {
		if d.Name == stream {
			return d.durable(name)
		}
	}
	return nil
}

// ensure binds to the durable, creating it if it is missing.
func (c *Consumer) ensure(ctx context.Context) error {
	name := c.b.names.stream(c.stream)
	ctx, cancel := context.WithTimeout(ctx, c.b.opt.AckTimeout)
	defer cancel()
	_, err := c.b.nc.JS.Consumer(ctx, name, c.durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = c.b.nc.JS.CreateConsumer(ctx, name, c.config)
	}
	if errors.Is(err, jetstream.ErrConsumerExists) { // another process was first
		err = nil
	}
	if err != nil {
		return fmt.Errorf("consumer %s of stream %s: %w", c.durable, name, err)
	}
	return nil
}

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
		if err == nil {
			continue // reconnected, or stopped
		}
		c.b.log.Warn("consumer failed, trying again", "stream", c.stream, "durable", c.durable, "error", err)
		if came {
			pause.Reset()
		}
		if pause.Wait(ctx) != nil {
			return
		}
		if err := c.ensure(ctx); err != nil {
			c.b.log.Warn("consumer is not there", "stream", c.stream, "error", err)
		}
	}
}

// pull keeps the server asked for as many messages as there are idle handlers,
// and no more: what is asked for is not given to another process. It returns
// when the connection was made anew, since a request may be lost then, with an
// error if the server refused, and whether any message came.
func (c *Consumer) pull(ctx context.Context) (came bool, err error) {
	inbox := c.b.nc.NewInbox()
	msgs := make(chan *nats.Msg, 2*c.most+16)
	reconnected := c.b.nextReconnect()
	sub, err := c.b.nc.ChanSubscribe(inbox, msgs)
	if err != nil {
		return false, fmt.Errorf("subscribing: %w", err)
	}
	defer c.giveBack(sub, msgs)
	patience := time.NewTimer(pullPatience)
	defer patience.Stop()
	asked := 0
	for {
		// A few large requests rather than one for each message; but never none.
		if free := c.most - asked - c.active; free > 0 && (asked == 0 || free > c.most/2) {
			if err := c.ask(inbox, free); err != nil {
				return came, err
			}
			asked += free
			patience.Reset(pullPatience)
		}
		select {
		case m := <-msgs:
			switch {
			case ctx.Err() != nil, isDelivery(m) && asked == 0: // stopped, or more than was asked for
				if isDelivery(m) {
					c.delivery(m).giveBack()
				}
				return came, nil
			case isDelivery(m):
				came = true
				asked--
				c.active++
				c.wg.Go(func() {
					c.handle(m)
					c.done <- struct{}{}
				})
			case last(m.Header, hdrStatus) == "408": // expired
				text := last(m.Header, hdrUnused)
				unused, err := strconv.Atoi(text)
				if err != nil || unused < 0 || unused > asked {
					return came, fmt.Errorf("expired request: %s %q of %d asked for", hdrUnused, text, asked)
				}
				asked -= unused
			default:
				return came, statusError(m)
			}
		case <-c.done:
			c.active--
		case <-reconnected:
			return came, nil
		case <-patience.C:
			if asked > 0 && c.isLost(ctx, msgs) {
				return came, fmt.Errorf("no answer to a request for messages in %v", pullPatience)
			}
			patience.Reset(pullPatience - pullExpiry)
		case <-ctx.Done():
			return came, nil
		}
	}
}

// isLost reports whether a request that is overdue was lost. On a machine that
// was too busy to read, the answer is here or arrives before a pong does.
func (c *Consumer) isLost(ctx context.Context, msgs <-chan *nats.Msg) bool {
	_, err := c.b.Ping(ctx)
	return err == nil && len(msgs) == 0
}

// ask requests count messages.
func (c *Consumer) ask(inbox string, count int) error {
	question := fmt.Appendf(nil, `{"batch":%d,"expires":%d}`, count, pullExpiry)
	subject := "$JS.API.CONSUMER.MSG.NEXT." + c.b.names.stream(c.stream) + "." + c.durable
	if err := c.b.nc.PublishRequest(subject, inbox, question); err != nil {
		return classify(subject, err)
	}
	return nil
}

func isDelivery(m *nats.Msg) bool { return strings.HasPrefix(m.Reply, "$JS.ACK.") }

// giveBack returns what arrived too late to be handled.
func (c *Consumer) giveBack(sub *nats.Subscription, msgs <-chan *nats.Msg) {
	_ = sub.Unsubscribe() // fails only if the connection is closed
	for {
		select {
		case m := <-msgs:
			if isDelivery(m) {
				c.delivery(m).giveBack()
			}
		default:
			return
		}
	}
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
