package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// Large answers that come to many readers at once are all whole, also while the
// connection's side is held up: together they are more than nats.go keeps by itself.
func TestManyReadersAtOnce(t *testing.T) {
	const readers, size = 20, 1 << 20
	b, _ := newTestBus(t)
	data := []byte(strings.Repeat("x", size))
	for i := range 6 {
		if _, err := b.Publish(testContext(t), commitSubject(testBatch, i), data, nil); err != nil {
			t.Fatal(err)
		}
	}
	var got sync.WaitGroup
	all := make([]*reader, readers)
	for i := range all {
		all[i] = must[*reader](t)(b.newReader(b.names.stream(Sign), 4*pageMessages))
		defer all[i].close()
	}
	b.mail.mu.Lock()
	for _, r := range all {
		got.Go(func() {
			n := 0
			p, err := r.page(testContext(t), 1, "", func(m Message) bool { n += len(m.Data); return true })
			if err != nil || n < pageBytes || uint64(n) != (p.next-1)*size {
				t.Errorf("%d bytes, next %d, %v", n, p.next, err)
			}
		})
	}
	eventually(t, "all answers", func() error {
		_, bytes, err := b.mail.sub.Pending()
		dropped, _ := b.mail.sub.Dropped()
		if err != nil || bytes < readers*pageBytes && dropped == 0 {
			return fmt.Errorf("%d bytes wait, %d messages dropped, %w", bytes, dropped, err)
		}
		return nil
	})
	b.mail.mu.Unlock()
	got.Wait()
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
