package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
)

// A reader that gets more than it keeps room for learns that something is missing, and
// does not wait for it. Others read on.
func TestMailboxOverflow(t *testing.T) {
	b, _ := newTestBus(t)
	full, other := must[*reader](t)(b.newReader("X", 2)), must[*reader](t)(b.newReader("X", 2))
	defer other.close()
	for i := range 3 {
		if err := b.nc.Publish(full.inbox+".1", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.nc.Publish(other.inbox+".1", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := other.receive(testContext(t), other.inbox+".1"); err != nil {
		t.Error(err)
	}
	for i := range 2 { // while the third one came, nothing was read
		if m, err := full.receive(testContext(t), full.inbox+".1"); err != nil || string(m.Data) != fmt.Sprint(i) {
			t.Errorf("%v, %v", m, err)
		}
	}
	if m, err := full.receive(testContext(t), full.inbox+".1"); !errors.Is(err, errOverflow) {
		t.Errorf("%v, %v", m, err)
	}
	full.close()
	if err := b.nc.Publish(full.inbox+".1", nil); err != nil { // comes to nobody
		t.Fatal(err)
	}
	if _, err := b.Ping(testContext(t)); err != nil {
		t.Error(err)
	}
}

// Answers to many readers that come at once may be more than the 64 MiB that nats.go keeps
// by itself. What it drops is missing in the middle of a page, and nobody learns of it.
func TestManyReadersAtOnce(t *testing.T) {
	b, _ := newTestBus(t)
	r := must[*reader](t)(b.newReader("X", 1))
	defer r.close()
	if messages, bytes, err := b.mail.sub.PendingLimits(); messages > 0 || bytes > 0 || err != nil {
		t.Errorf("limits of %d messages and %d bytes, %v", messages, bytes, err)
	}
}

// Each of many readers gets the answers to its own questions, before and after the
// connection was made anew, and leaves nothing behind.
func TestEachReaderItsOwn(t *testing.T) {
	b, _ := newTestBus(t)
	for i := range 16 {
		if _, err := b.Publish(testContext(t), commitSubject(testBatch, i), fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
	read := func() {
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				for range 20 {
					m, found, err := b.Last(testContext(t), Sign, commitSubject(testBatch, i))
					if err != nil || !found || string(m.Data) != fmt.Sprint(i) {
						t.Errorf("%d: %+v, %t, %v", i, m, found, err)
					}
				}
			})
		}
		all.Wait()
	}
	read()
	before := b.nc.NumSubscriptions()
	again := b.nextReconnect()
	if err := b.nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	<-again
	read()
	if n := b.nc.NumSubscriptions(); n != before {
		t.Errorf("%d subscriptions, and %d before", n, before)
	}
	if n := len(b.mail.readers); n != 0 {
		t.Errorf("%d readers are left", n)
	}
}

// A reader that is given no inbox leaves none behind, and the next one gets it.
func TestMailboxRefused(t *testing.T) {
	b, _ := newTestBus(t)
	var box mailbox
	if _, err := box.open(refusing{}, nil); !errors.Is(err, nats.ErrConnectionClosed) || len(box.readers) != 0 {
		t.Errorf("%v, %d readers", err, len(box.readers))
	}
	to := make(chan *nats.Msg, 1)
	inbox := must[string](t)(box.open(b.nc, to))
	if err := b.nc.Publish(inbox+".1", nil); err != nil {
		t.Fatal(err)
	}
	select {
	case <-to:
	case <-testContext(t).Done():
		t.Fatal(context.DeadlineExceeded)
	}
}

type refusing struct{}

func (refusing) NewInbox() string { return "_INBOX.x" }

func (refusing) Subscribe(string, nats.MsgHandler) (*nats.Subscription, error) {
	return nil, nats.ErrConnectionClosed
}
