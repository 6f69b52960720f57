package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ConsumeOptions bound a consumer. AckWait, MaxAckPending and Filter apply only
// if the durable does not exist yet; GatewaysDurable on JOBS is declared in
// nats/streams.json.
type ConsumeOptions struct {
	Handlers      int           // deliveries handled at once by this process, 16 if 0
	AckWait       time.Duration // without InProgress a delivery is repeated after this, 10 s if 0
	MaxAckPending int           // deliveries under way at all processes together, 1,024 if 0
	Filter        string        // relative; "" is the whole stream
}

func (o *ConsumeOptions) setDefaults() {
	if o.Handlers <= 0 {
		o.Handlers = 16
	}
	if o.AckWait <= 0 {
		o.AckWait = 10 * time.Second
	}
	if o.MaxAckPending <= 0 {
		o.MaxAckPending = 1024
	}
}

// pullExpiry is how long the server keeps one request for a message.
const pullExpiry = 20 * time.Second

// Consumer hands deliveries to a handler until it is stopped.
type Consumer struct {
	b       *Bus
	stream  Stream
	durable string
	config  jetstream.ConsumerConfig
	handler func(Delivery)
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	once    sync.Once
}

// Consume hands every message of the durable to handler, in up to
// opt.Handlers goroutines. Each delivery is acknowledged by the handler or
// comes again; how often it came is Delivery.Attempt. A handler that panics is logged,
// and its delivery comes again after a second.
func (b *Bus) Consume(ctx context.Context, stream Stream, durable string, opt ConsumeOptions, handler func(Delivery)) (*Consumer, error) {
	if err := CheckToken(durable); err != nil {
		return nil, err
	}
	opt.setDefaults()
	config := jetstream.ConsumerConfig{
		Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, AckWait: opt.AckWait,
		MaxAckPending: opt.MaxAckPending, MaxDeliver: -1,
	}
	if opt.Filter != "" {
		if err := checkFilter(opt.Filter); err != nil {
			return nil, err
		}
		config.FilterSubject = b.names.prefix + opt.Filter
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &Consumer{b: b, stream: stream, durable: durable, config: config, handler: handler, cancel: cancel}
	if err := c.ensure(ctx); err != nil {
		cancel()
		return nil, err
	}
	if !b.own(c) {
		cancel()
		return nil, ErrClosed
	}
	for range opt.Handlers {
		c.wg.Go(func() { c.serve(ctx) })
	}
	return c, nil
}

// ensure binds to the durable, creating it if it is missing.
func (c *Consumer) ensure(ctx context.Context) error {
	name := c.b.names.stream(c.stream)
	ctx, cancel := context.WithTimeout(ctx, c.b.opt.AckTimeout)
	defer cancel()
	_, err := c.b.js.Consumer(ctx, name, c.durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = c.b.js.CreateConsumer(ctx, name, c.config)
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
	c.once.Do(func() {
		c.cancel()
		c.b.disown(c)
	})
	c.wg.Wait()
}

// serve is one handler's loop: ask for a message, handle it, ask again.
func (c *Consumer) serve(ctx context.Context) {
	inbox := c.b.nc.NewInbox()
	msgs := make(chan *nats.Msg, 16)
	sub, err := c.b.nc.ChanSubscribe(inbox, msgs)
	if err != nil {
		c.b.log.Error("consumer can't subscribe", "stream", c.stream, "error", err)
		return
	}
	defer c.giveBack(sub, msgs)
	for wait := (backoff{}); ctx.Err() == nil; {
		m, err := c.next(ctx, inbox, msgs)
		switch {
		case ctx.Err() != nil:
			if m != nil {
				c.delivery(m).giveBack()
			}
			return
		case err != nil:
			c.b.log.Warn("consumer failed, trying again", "stream", c.stream, "durable", c.durable, "error", err)
			if wait.sleep(ctx) != nil {
				return
			}
			if err := c.ensure(ctx); err != nil {
				c.b.log.Warn("consumer is not there", "stream", c.stream, "error", err)
			}
		case m != nil:
			wait = backoff{}
			c.handle(m)
		}
	}
}

// next asks for one message and waits for it; nil without error when there
// was none for a while.
func (c *Consumer) next(ctx context.Context, inbox string, msgs <-chan *nats.Msg) (*nats.Msg, error) {
	question, err := json.Marshal(map[string]any{"batch": 1, "expires": pullExpiry})
	if err != nil {
		return nil, err
	}
	reconnected := c.b.nextReconnect()
	subject := "$JS.API.CONSUMER.MSG.NEXT." + c.b.names.stream(c.stream) + "." + c.durable
	if err := c.b.nc.PublishRequest(subject, inbox, question); err != nil {
		return nil, classify(subject, err)
	}
	patience := time.NewTimer(pullExpiry + 2*time.Second)
	defer patience.Stop()
	select {
	case m := <-msgs:
		if strings.HasPrefix(m.Reply, "$JS.ACK.") {
			return m, nil
		}
		if last(m.Header, hdrStatus) == "408" { // expired
			return nil, nil
		}
		return nil, statusError(m)
	case <-reconnected: // the request may be lost
		return nil, nil
	case <-patience.C:
		return nil, fmt.Errorf("no answer to %s", subject)
	case <-ctx.Done():
		return nil, nil
	}
}

// giveBack returns what arrived too late to be handled.
func (c *Consumer) giveBack(sub *nats.Subscription, msgs <-chan *nats.Msg) {
	_ = sub.Unsubscribe() // fails only if the connection is closed
	for {
		select {
		case m := <-msgs:
			if strings.HasPrefix(m.Reply, "$JS.ACK.") {
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
				"attempt", d.attempt, "panic", p, "stack", string(debug.Stack()))
			if err := d.Nak(time.Second); err != nil {
				c.b.log.Warn("giving a delivery back failed", "error", err)
			}
		}
	}()
	c.handler(d)
}
