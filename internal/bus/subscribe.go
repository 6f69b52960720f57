package bus

import (
	"runtime/debug"
	"sync"

	"github.com/nats-io/nats.go"
)

// Subscription is a core subscription: what is announced while it lasts.
type Subscription struct {
	b    *Bus
	sub  *nats.Subscription
	done chan struct{} // closed when the handler has returned for the last time
	once sync.Once
}

// Subscribe calls fn, from one goroutine, for each message announced under
// a relative subject or filter, such as result.<client>.*. Republished
// messages carry Seq and Time as the announcer gave them: proof of
// nothing. fn must not call Stop.
func (b *Bus) Subscribe(subject string, fn func(Message)) (*Subscription, error) {
	if err := checkFilter(subject); err != nil {
		return nil, err
	}
	s := &Subscription{b: b, done: make(chan struct{})}
	sub, err := b.nc.Subscribe(b.names.prefix+subject, func(m *nats.Msg) { s.handle(m, fn) })
	if err != nil {
		return nil, classify(subject, err)
	}
	s.sub = sub
	sub.SetClosedHandler(func(string) { close(s.done) })
	if !sub.IsValid() { // closed in between: done would stay open
		return nil, ErrClosed
	}
	if !b.own(s) {
		s.Stop()
		return nil, ErrClosed
	}
	return s, nil
}

func (s *Subscription) handle(m *nats.Msg, fn func(Message)) {
	relative, _ := s.b.names.relative(m.Subject)
	got := Message{Subject: relative, Data: m.Data, Header: userHeader(m.Header)}
	if name := last(m.Header, hdrStream); name != "" {
		if stored, err := s.b.stored(m, name); err == nil {
			got.Seq, got.Time = stored.Seq, stored.Time
		}
	}
	defer func() {
		if p := recover(); p != nil {
			s.b.log.Error("handler panicked", "subject", relative, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn(got)
}

// Unsubscribe ends the subscription and waits for the handler.
func (s *Subscription) Unsubscribe() { s.Stop() }

// Stop is Unsubscribe.
func (s *Subscription) Stop() {
	s.once.Do(func() {
		s.b.disown(s)
		if err := s.sub.Unsubscribe(); err != nil { // the connection is closed
			s.b.log.Debug("unsubscribing", "error", err)
		}
	})
	<-s.done
}
