package bus

import (
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// mailbox is the one inbox in which answers to all readers arrive. An inbox for each
// question would have all servers of a cluster change what they know of subscriptions,
// twice, and forget where messages go that has nothing to do with it.
type mailbox struct {
	mu      sync.Mutex
	inbox   string
	sub     *nats.Subscription
	opened  uint64
	readers map[string]chan<- *nats.Msg
}

// inboxes makes and subscribes to them: the connection.
type inboxes interface {
	NewInbox() string
	Subscribe(subject string, f nats.MsgHandler) (*nats.Subscription, error)
}

// open gives a new subject, below which what arrives is sent to the channel. A channel
// that is full is closed: its reader reads anew, and misses nothing without knowing.
func (b *mailbox) open(nc inboxes, to chan<- *nats.Msg) (subject string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sub == nil {
		if err := b.subscribe(nc); err != nil {
			return "", err
		}
	}
	b.opened++
	name := strconv.FormatUint(b.opened, 36)
	b.readers[name] = to
	return b.inbox + "." + name, nil
}

// subscribe bounds nothing that waits: each reader's channel does. What nats.go drops
// where many large answers arrive at once would be missing in any of them.
func (b *mailbox) subscribe(nc inboxes) error {
	inbox := nc.NewInbox()
	sub, err := nc.Subscribe(inbox+".*.*", b.receive)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1)
	}
	if err != nil {
		return err
	}
	b.inbox, b.sub, b.readers = inbox, sub, make(map[string]chan<- *nats.Msg)
	return nil
}

func (b *mailbox) close(subject string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.readers, strings.TrimPrefix(subject, b.inbox+"."))
}

func (b *mailbox) receive(m *nats.Msg) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name, _, _ := strings.Cut(strings.TrimPrefix(m.Subject, b.inbox+"."), ".")
	to := b.readers[name]
	if to == nil { // nobody reads this one any more
		return
	}
	select {
	case to <- m:
	default:
		delete(b.readers, name)
		close(to)
	}
}
