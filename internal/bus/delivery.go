package bus

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Delivery is one message of a Consumer and what becomes of it.
type Delivery interface {
	Message() Message
	Attempt() int                  // 1 the first time
	Ack(ctx context.Context) error // done; returns when the server confirms
	Nak(delay time.Duration) error // again, after delay
	InProgress() error             // starts AckWait anew
	Term(reason string) error      // never again
}

type delivery struct {
	b       *Bus
	msg     Message
	reply   string
	attempt int
}

// delivery reads a message's sequence from its reply subject, which only the
// server can write. So its headers are the writer's in whatever spelling, "Name:value"
// too: nothing of the server's is among them, and nothing that could be hidden.
func (c *Consumer) delivery(m *nats.Msg) *delivery {
	d := &delivery{b: c.b, reply: m.Reply, attempt: 1}
	subject, _ := c.b.names.relative(m.Subject)
	d.msg = Message{Subject: subject, Data: m.Data, Header: userHeader(m.Header)}
	if meta, err := m.Metadata(); err == nil {
		d.attempt = int(min(meta.NumDelivered, 1<<30))
		d.msg.Seq, d.msg.Time = meta.Sequence.Stream, meta.Timestamp
	}
	return d
}

func (d *delivery) Message() Message { return d.msg }
func (d *delivery) Attempt() int     { return d.attempt }

// Ack waits for the server's confirmation: after nil the message will not
// come again.
func (d *delivery) Ack(ctx context.Context) error {
	if _, err := d.b.nc.Ask(ctx, d.reply, []byte("+ACK")); err != nil {
		return fmt.Errorf("acknowledging %s: %w", d.msg.Subject, err)
	}
	return nil
}

func (d *delivery) Nak(delay time.Duration) error {
	return d.answer(`-NAK {"delay":` + strconv.FormatInt(int64(max(delay, 0)), 10) + `}`)
}

func (d *delivery) InProgress() error { return d.answer("+WPI") }

func (d *delivery) Term(reason string) error { return d.answer("+TERM " + reason) }

func (d *delivery) answer(text string) error {
	if err := d.b.nc.Publish(d.reply, []byte(text)); err != nil {
		return fmt.Errorf("answering %s: %w", d.msg.Subject, err)
	}
	return nil
}

// giveBack is Nak where an error does not matter: the delivery comes again
// after AckWait anyway.
func (d *delivery) giveBack() { _ = d.Nak(0) }
