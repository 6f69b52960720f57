package gateway

import (
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
)

// A large job costs servers and gateways as much as its bytes, whether it asks for
// anything or is junk. BULK takes a few of a client at a time, and gateways end them no
// faster than this: what comes above it is refused by the server, which stores none of it.
const bulkBytes = 4 << 20 // a second of one client's, at one gateway

// maxPaced bounds how many clients are remembered, should somebody make up names.
const maxPaced = 1 << 12

// pace spreads the large jobs of each client. The zero value is ready.
type pace struct {
	mu   sync.Mutex
	next map[string]time.Time // when the client's next one has its turn
}

// turn is how long a client's job of so many bytes waits that comes now.
func (p *pace) turn(client string, size int, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil || len(p.next) >= maxPaced {
		p.next = map[string]time.Time{}
	}
	at := p.next[client]
	if at.Before(now) {
		at = now
	}
	p.next[client] = at.Add(time.Duration(size) * time.Second / bulkBytes)
	return at.Sub(now)
}

// await waits for a delivery's turn, if it is of BULK. It is false if the gateway stops
// or the delivery ends before.
func (p *pace) await(stopping <-chan struct{}, d *delivery) bool {
	if !d.place().Bulk {
		return true
	}
	wait := p.turn(d.job.Signed.Client, len(d.Message().Data), time.Now())
	if wait <= 0 {
		return true
	}
	ctx, cancel := d.context(stopping)
	defer cancel()
	return backoff.Sleep(ctx, wait) == nil
}
