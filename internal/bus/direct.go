package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
)

// Messages between programs that no stream keeps: questions about what nodes hold, and
// their answers. They may be lost; who asks asks again.

// Listener hears such messages until Stop.
type Listener struct {
	b   *Bus
	sub *nats.Subscription
}

// maxUnheard bounds what waits for a listener's handler, in bytes. What does not fit is
// dropped.
const maxUnheard = 8 << 20

// Listen calls handle with every message under a subject, which may have wildcards, one
// at a time.
func (b *Bus) Listen(subject string, handle func(subject string, data []byte)) (*Listener, error) {
	if err := checkFilter(subject); err != nil {
		return nil, err
	}
	sub, err := b.nc.Subscribe(b.names.prefix+subject, func(m *nats.Msg) {
		handle(strings.TrimPrefix(m.Subject, b.names.prefix), m.Data)
	})
	if err == nil {
		err = sub.SetPendingLimits(-1, maxUnheard)
	}
	if err != nil {
		return nil, classify(subject, err)
	}
	l := &Listener{b, sub}
	if !b.own(l) {
		l.Stop()
		return nil, ErrClosed
	}
	return l, nil
}

// Stop ends the listener. One message may still be in its handler.
func (l *Listener) Stop() {
	l.b.disown(l)
	_ = l.sub.Unsubscribe() // fails only if the connection is closed
}

// Tell sends a message to whoever listens now.
func (b *Bus) Tell(subject string, data []byte) error {
	if err := checkSubject(subject); err != nil {
		return err
	}
	if int64(len(data)) > b.nc.MaxPayload() {
		return ErrTooLarge
	}
	if err := b.nc.Publish(b.names.prefix+subject, data); err != nil {
		return errors.Join(ErrDisconnected, err)
	}
	return nil
}

// ErrNobody says that nobody listens under a subject.
var ErrNobody = errors.New("nobody listens")

// Call is Tell that finds out whether anybody listens: it returns ErrNobody if not, and
// otherwise when ctx ends.
func (b *Bus) Call(ctx context.Context, subject string, data []byte) error {
	if err := checkSubject(subject); err != nil {
		return err
	}
	_, err := b.nc.RequestWithContext(ctx, b.names.prefix+subject, data)
	if errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("%s: %w", subject, ErrNobody)
	}
	return err
}
