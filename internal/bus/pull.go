package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/backoff"
)

// The server keeps a request for messages for pullExpiry, and says when that is over. A
// cluster whose accounts are apart keeps the request of a process that died, too: it
// delivers messages to nobody until the request expires, and each then waits for
// AckWait. So no request lives long; each is two entries in the consumer's Raft log. A
// server that has been silent for pullSilence has lost the request.
const (
	pullExpiry  = time.Second / 2
	pullSilence = 5 * pullExpiry / 2
	pullPing    = time.Second      // what an answer under way has to arrive in
	leaveTime   = 10 * time.Second // for a connection to be given up that was to be
)

// errLost: the consumer's leader has no request of this process, or hangs.
var errLost = errors.New("request for messages lost")

// pulling is one inbox and what was asked for with it.
type pulling struct {
	c      *Consumer
	inbox  string
	sub    *nats.Subscription
	msgs   chan *nats.Msg
	asked  int // messages that the server may still deliver
	came   bool
	silent *time.Timer
}

// pull keeps the server asked for as many messages as there are idle handlers,
// and no more: what is asked for is not given to another process. It returns
// when the connection was made anew, since a request may be lost then, with an
// error if the server refused or lost the request, and whether any message came.
func (c *Consumer) pull(ctx context.Context) (came bool, err error) {
	p := &pulling{c: c, inbox: c.b.nc.NewInbox(), msgs: make(chan *nats.Msg, 2*c.most+64)}
	reconnected := c.b.nextReconnect()
	if p.sub, err = c.b.nc.ChanSubscribe(p.inbox, p.msgs); err != nil {
		return false, fmt.Errorf("subscribing: %w", err)
	}
	defer p.end(ctx)
	p.silent = time.NewTimer(pullSilence)
	defer p.silent.Stop()
	for {
		if err := p.ask(); err != nil {
			return p.came, err
		}
		select {
		case m := <-p.msgs:
			p.silent.Reset(pullSilence)
			if more, err := p.take(ctx, m); !more || err != nil {
				return p.came, err
			}
		case <-c.done:
			c.active--
		case <-reconnected:
			return p.came, nil
		case <-p.silent.C:
			if p.asked > 0 && p.isLost(ctx) {
				return p.came, fmt.Errorf("%w: nothing heard of it for %v", errLost, pullSilence)
			}
			p.silent.Reset(pullSilence)
		case <-ctx.Done():
			return p.came, nil
		}
	}
}

// ask requests messages for the idle handlers: a few large requests rather than
// one for each message, but never none.
func (p *pulling) ask() error {
	c := p.c
	free := c.most - p.asked - c.active
	if free <= 0 || p.asked > 0 && free <= c.most/2 || c.b.isLeaving() {
		return nil
	}
	question := fmt.Appendf(nil, `{"batch":%d,"expires":%d}`, free, pullExpiry)
	subject := "$JS.API.CONSUMER.MSG.NEXT." + c.b.names.stream(c.stream) + "." + c.durable
	if err := c.b.nc.PublishRequest(subject, p.inbox, question); err != nil {
		return classify(subject, err)
	}
	if p.asked == 0 {
		p.silent.Reset(pullSilence)
	}
	p.asked += free
	return nil
}

// leave has requests for messages run out before the connection is given up: what the
// server delivers to them afterwards comes to nobody. Whoever does not leave calls stay.
func (b *Bus) leave(ctx context.Context) (stay func()) {
	b.leaving.Store(time.Now().Add(leaveTime).UnixNano())
	_ = backoff.Sleep(ctx, pullExpiry+pullExpiry/2) // its end ends the connection
	return func() { b.leaving.Store(0) }
}

// isLeaving: no messages are asked for, until the connection was made anew.
func (b *Bus) isLeaving() bool { return time.Now().UnixNano() < b.leaving.Load() }

// take handles what came to the inbox, and is false after what was not asked for.
func (p *pulling) take(ctx context.Context, m *nats.Msg) (more bool, err error) {
	switch {
	case isDelivery(m) && (ctx.Err() != nil || p.asked == 0):
		p.c.delivery(m).giveBack()
		return false, nil
	case isDelivery(m):
		p.came = true
		p.asked--
		p.c.begin(m)
		return true, nil
	case last(m.Header, hdrStatus) == "408": // expired
		text := last(m.Header, hdrUnused)
		unused, err := strconv.Atoi(text)
		if err != nil || unused < 0 || unused > p.asked {
			return false, fmt.Errorf("expired request: %s %q of %d asked for", hdrUnused, text, p.asked)
		}
		p.asked -= unused
		return true, nil
	}
	if leaderLeft(m) {
		return false, fmt.Errorf("%w: %w", errLost, statusError(m))
	}
	return false, statusError(m)
}

// leaderLeft: the consumer is there, and has or gets another leader.
func leaderLeft(m *nats.Msg) bool {
	why := last(m.Header, hdrDescription)
	return isStatus(m) && last(m.Header, hdrStatus) == "409" && (why == "Leadership Change" || why == "Server Shutdown")
}

// begin has an idle handler work on a delivery.
func (c *Consumer) begin(m *nats.Msg) {
	c.active++
	c.wg.Go(func() {
		c.handle(m)
		c.done <- struct{}{}
	})
}

// isLost reports whether a request that is not heard of was lost. On a machine
// that was too busy to read, the answer is here or arrives before a pong does.
func (p *pulling) isLost(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, pullPing)
	defer cancel()
	_, err := p.c.b.Ping(ctx)
	return err == nil && len(p.msgs) == 0
}

// end takes the inbox from the server, which forgets its requests then. What it
// had sent before goes to handlers that are idle: given back, it would come once
// more, and each delivery counts.
func (p *pulling) end(ctx context.Context) {
	c := p.c
	if p.sub.Drain() != nil { // the connection is closed
		_ = p.sub.Unsubscribe()
	} else if c.b.Healthy() == nil && p.asked > 0 {
		flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), pullPing)
		_, _ = c.b.Ping(flush) // what was sent is here when a pong is
		cancel()
	}
	for {
		select {
		case m := <-p.msgs:
			switch {
			case !isDelivery(m):
			case ctx.Err() == nil && c.active < c.most:
				p.came = true
				c.begin(m)
			default:
				c.delivery(m).giveBack()
			}
		default:
			return
		}
	}
}

// isDelivery: a stored message is one, whatever its headers say.
func isDelivery(m *nats.Msg) bool { return strings.HasPrefix(m.Reply, "$JS.ACK.") }
