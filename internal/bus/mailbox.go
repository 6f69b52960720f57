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

// open gives a new subject, below which what arrives is sent to the channel. What does
// not fit into it is dropped.
func (b *mailbox) open(nc interface {
	NewInbox() string
	Subscribe(subject string, f nats.MsgHandler) (*nats.Subscription, error)
}, to chan<- *nats.Msg,
) (subject string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sub == nil {
		inbox := nc.NewInbox()
		if b.sub, err = nc.Subscribe(inbox+".*.*", b.receive); err != nil {
			return "", err
		}
		b.inbox, b.readers = inbox, make(map[string]chan<- *nats.Msg)
	}
	b.opened++
	name := strconv.FormatUint(b.opened, 36)
	b.readers[name] = to
	return b.inbox + "." + name, nil
}

func (b *mailbox) close(subject string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.readers, strings.TrimPrefix(subject, b.inbox+"."))
}

func (b *mailbox) receive(m *nats.Msg) {
	b.mu.Lock()
	name, _, _ := strings.Cut(strings.TrimPrefix(m.Subject, b.inbox+"."), ".")
	to := b.readers[name]
	b.mu.Unlock()
	select {
	case to <- m: // never, if nobody reads this one any more
	default:
	}
}
