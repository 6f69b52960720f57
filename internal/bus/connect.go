package bus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// Bus is a connection to the fleet's streams. All methods may be called
// concurrently.
type Bus struct {
	opt      Options
	names    naming
	declared atomic.Pointer[[]declaration]
	log      *slog.Logger

	nc      *natsconn.Conn
	from    source // what followers read: the bus itself
	mail    mailbox
	leaving atomic.Int64 // until when nothing is asked for: leave. Unix time, ns

	gapEvery time.Duration // how often followers look at what was missing

	inFlight chan struct{}              // one in it for each publish under way
	together map[Stream]*natsconn.Group // those whose messages may share a write to the disk
	unacked  unacked                    // what was published for nothing

	mu          sync.Mutex
	ready       bool // Connect is done
	closing     bool
	grown       int                  // nodes, by Grow
	owned       map[stopper]struct{} // followers and consumers
	reconnected chan struct{}        // closed and replaced at each reconnection

	background sync.WaitGroup // restoring
	stop       context.CancelFunc
	life       context.Context
}

// newPause is the pause between attempts at the bus.
func newPause() *backoff.Backoff {
	return &backoff.Backoff{Min: 10 * time.Millisecond, Max: time.Second}
}

// stopper is something that Close ends first.
type stopper interface{ Stop() }

// Connect reaches the server, trying again until ctx ends, and checks that it
// can carry the fleet: its version, JetStream and max_payload. After that,
// reconnecting goes on for ever and is logged.
func Connect(ctx context.Context, opt Options) (*Bus, error) {
	if err := opt.setDefaults(); err != nil {
		return nil, err
	}
	names, err := newNaming(opt.Fleet)
	if err != nil {
		return nil, err
	}
	declared, err := load(opt.Nodes)
	if err != nil {
		return nil, err
	}
	b := &Bus{
		opt: opt, names: names, log: opt.Logger,
		inFlight:    make(chan struct{}, opt.MaxInFlight),
		owned:       make(map[stopper]struct{}),
		reconnected: make(chan struct{}),
		gapEvery:    gapEvery,
	}
	b.declared.Store(&declared)
	b.from = b
	b.life, b.stop = context.WithCancel(context.Background())
	if err := b.dial(ctx); err != nil {
		b.stop()
		return nil, err
	}
	if err := b.awaitServer(ctx); err != nil {
		b.stop()
		b.nc.Close()
		return nil, err
	}
	b.together = map[Stream]*natsconn.Group{}
	for i := range declared {
		if declared[i].AllowAtomic {
			b.together[declared[i].Name] = b.nc.NewGroup(names.stream(declared[i].Name))
		}
	}
	b.mu.Lock()
	b.ready = true
	b.mu.Unlock()
	return b, nil
}

func (b *Bus) dial(ctx context.Context) (err error) {
	o := &b.opt
	b.nc, err = natsconn.Connect(ctx, natsconn.Options{
		URL: o.URL, InOrder: o.InOrder, Direct: true, Embedded: o.Embedded, Name: o.Name, Files: o.Files,
		InboxPrefix: o.InboxPrefix, AckTimeout: o.AckTimeout, Log: o.Logger,
		Waiting: o.Waiting, Reconnected: b.onReconnect, Leaving: b.leave,
	})
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	return nil
}

// SetTLS is natsconn.Conn.SetTLS.
func (b *Bus) SetTLS(ctx context.Context, next *natsconn.TLS) (changed []string, err error) {
	return b.nc.SetTLS(ctx, next)
}

// How often a wait for the server is logged.
const logEvery = 30 * time.Second

// awaitServer wants what the fleet needs, and names the setting to change. For
// JetStream it waits until ctx ends: the servers of a cluster that starts elect a
// leader first, and until then look as if they had none.
func (b *Bus) awaitServer(ctx context.Context) error {
	if have := b.nc.MaxPayload(); have < natsconn.MaxPayload {
		return fmt.Errorf("bus: %s takes messages of %d bytes, %d are needed: "+
			"set max_payload = 4MB in its configuration", b.nc.Server(), have, natsconn.MaxPayload)
	}
	pause := newPause()
	for logged := (time.Time{}); ; {
		err := b.Ask(ctx, "$JS.API.INFO", nil, new(struct{}))
		if err == nil {
			return nil
		}
		explained := fmt.Errorf("bus: %s has no JetStream for this account: %w: add a jetstream section with store_dir "+
			"to its configuration (with accounts: jetstream = enabled, or an import of $JS.API.INFO; after a reload that "+
			"adds an account, reload once more)", b.nc.Server(), err)
		if isPermanent(err) || pause.Wait(ctx) != nil {
			return explained
		}
		if time.Since(logged) > logEvery {
			logged = time.Now()
			b.log.Warn("waiting for JetStream: a cluster that starts elects a leader first", "error", explained)
		}
	}
}

func (b *Bus) onReconnect() {
	b.leaving.Store(0)
	b.opt.Observe.Reconnected()
	b.mu.Lock()
	close(b.reconnected)
	b.reconnected = make(chan struct{})
	restore := b.opt.RestoreMemory && b.ready && !b.closing
	if restore {
		b.background.Add(1)
	}
	b.mu.Unlock()
	if restore {
		go b.restore()
	}
}

func (b *Bus) restore() {
	defer b.background.Done()
	for pause := newPause(); ; {
		ctx, cancel := context.WithTimeout(b.life, b.opt.AckTimeout)
		err := b.Restore(ctx)
		cancel()
		if err == nil {
			return
		}
		b.log.Error("restoring the memory streams failed", "error", err)
		if pause.Wait(b.life) != nil || b.nc.Status() != nats.CONNECTED {
			return // the next reconnection starts it again
		}
	}
}

// nextReconnect is closed at the next reconnection.
func (b *Bus) nextReconnect() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reconnected
}

// Healthy is nil while connected.
func (b *Bus) Healthy() error { return b.nc.Healthy() }

// Nodes is how many nodes the fleet has, as Options said.
func (b *Bus) Nodes() int { return b.opt.Nodes }

// Grow has the bus know the streams of so many nodes, where it knew fewer: the fleet's next
// manifest has more than the one that it was connected for.
func (b *Bus) Grow(nodes int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if nodes <= max(b.opt.Nodes, b.grown) {
		return nil
	}
	declared, err := load(nodes)
	if err != nil {
		return err
	}
	b.grown = nodes
	b.declared.Store(&declared)
	return nil
}

// streams are the declarations of the fleet's streams.
func (b *Bus) streams() []declaration { return *b.declared.Load() }

// Conn is the connection below.
func (b *Bus) Conn() *natsconn.Conn { return b.nc }

// Done is closed when Close ends the connection.
func (b *Bus) Done() <-chan struct{} { return b.life.Done() }

// own registers something for Close; false if the bus is closing.
func (b *Bus) own(s stopper) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return false
	}
	b.owned[s] = struct{}{}
	return true
}

func (b *Bus) disown(s stopper) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.owned, s)
}

// Close ends followers and consumers and waits for their
// handlers, waits for publishes under way, flushes and closes. It is
// idempotent. If ctx ends first the connection is closed all the same and the
// error says what was still running.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closing {
		b.mu.Unlock()
		return nil
	}
	b.closing = true
	owned := b.owned
	b.owned = make(map[stopper]struct{})
	b.mu.Unlock()

	err := b.settle(ctx, owned)
	b.stop()
	b.nc.Close()
	b.background.Wait()
	return err
}

func (b *Bus) settle(ctx context.Context, owned map[stopper]struct{}) error {
	var wg sync.WaitGroup
	for s := range owned {
		wg.Go(s.Stop)
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("bus: closing while handlers still run: %w", ctx.Err())
	}
	for range cap(b.inFlight) { // all taken here: no publish under way
		select {
		case b.inFlight <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("bus: closing while publishes still wait: %w", ctx.Err())
		}
	}
	if b.nc.Status() != nats.CONNECTED {
		return nil
	}
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
	}
	if err := b.nc.FlushWithContext(ctx); err != nil && b.nc.Status() == nats.CONNECTED {
		return fmt.Errorf("bus: flushing: %w", err)
	}
	return nil
}
