package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bus is a connection to the fleet's streams. All methods may be called
// concurrently.
type Bus struct {
	opt      Options
	names    naming
	declared []declaration
	log      *slog.Logger

	nc *nats.Conn
	js jetstream.JetStream

	inFlight chan struct{} // one place per publish under way
	flights  flights       // attempts waiting for an answer

	mu          sync.Mutex
	ready       bool // Connect is done
	closing     bool
	owned       map[stopper]struct{} // followers, consumers, subscriptions
	reconnected chan struct{}        // closed and replaced at each reconnection

	sampled   atomic.Pointer[taken]     // by Watch
	serverEnd atomic.Pointer[time.Time] // when what the server showed expires

	background sync.WaitGroup // restoring
	stop       context.CancelFunc
	life       context.Context
}

// stopper is something that Close ends first.
type stopper interface{ Stop() }

// Connect reaches the server, trying again until ctx ends, and checks that it
// can carry the fleet: JetStream and max_payload. After that, reconnecting goes on
// for ever and is logged.
func Connect(ctx context.Context, opt Options) (*Bus, error) {
	if err := opt.setDefaults(); err != nil {
		return nil, err
	}
	names, err := newNaming(opt.Fleet)
	if err != nil {
		return nil, err
	}
	declared, err := load()
	if err != nil {
		return nil, err
	}
	b := &Bus{
		opt: opt, names: names, declared: declared, log: opt.Logger,
		inFlight:    make(chan struct{}, opt.MaxInFlight),
		owned:       make(map[stopper]struct{}),
		reconnected: make(chan struct{}),
	}
	b.life, b.stop = context.WithCancel(context.Background())
	if err := b.dial(ctx); err != nil {
		b.stop()
		return nil, err
	}
	if err := b.checkServer(ctx); err != nil {
		b.stop()
		b.nc.Close()
		return nil, err
	}
	b.mu.Lock()
	b.ready = true
	b.mu.Unlock()
	return b, nil
}

func (b *Bus) dial(ctx context.Context) error {
	opts, err := b.opt.natsOptions()
	if err != nil {
		return err
	}
	opts = append(opts,
		nats.DisconnectErrHandler(b.onDisconnect),
		nats.ReconnectHandler(b.onReconnect),
		nats.ErrorHandler(b.onError),
		b.noteServer,
	)
	for wait := (backoff{}); ; {
		if b.nc, err = nats.Connect(b.opt.URL, opts...); err == nil {
			break
		}
		if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrNkeysNotSupported) {
			return fmt.Errorf("bus: %s refuses these credentials: %w", b.place(), err)
		}
		if wait.sleep(ctx) != nil {
			return fmt.Errorf("bus: no connection to %s: %w (last attempt: %w)", b.place(), ctx.Err(), err)
		}
	}
	b.js, err = jetstream.New(b.nc, jetstream.WithDefaultTimeout(b.opt.AckTimeout))
	return err
}

// place names the server without the password that a URL may hold.
func (b *Bus) place() string {
	if b.opt.Embedded != nil {
		return "the embedded NATS server"
	}
	urls := strings.Split(b.opt.URL, ",")
	for i, u := range urls {
		if at := strings.LastIndexByte(u, '@'); at >= 0 {
			urls[i] = "nats://" + u[at+1:]
		}
	}
	return "NATS at " + strings.Join(urls, ",")
}

// checkServer asks for what the fleet needs and names the setting that mends it.
func (b *Bus) checkServer(ctx context.Context) error {
	if have := b.nc.MaxPayload(); have < MaxPayload {
		return fmt.Errorf("bus: %s takes messages of %d bytes, %d are needed: set max_payload = 4MB in its configuration",
			b.place(), have, MaxPayload)
	}
	ctx, cancel := context.WithTimeout(ctx, b.opt.AckTimeout)
	defer cancel()
	m, err := b.nc.RequestWithContext(ctx, "$JS.API.INFO", nil)
	if err == nil {
		var answer struct {
			Error *jetstream.APIError `json:"error"`
		}
		if err = json.Unmarshal(m.Data, &answer); err == nil && answer.Error != nil {
			err = answer.Error
		}
	}
	if err != nil {
		return fmt.Errorf("bus: %s has no JetStream for this account: %w: add a jetstream section with store_dir "+
			"to its configuration (with accounts: jetstream = enabled, or an import of $JS.API.INFO)", b.place(), err)
	}
	return nil
}

func (b *Bus) onDisconnect(_ *nats.Conn, err error) {
	if b.life.Err() != nil {
		return
	}
	b.log.Warn("NATS connection lost, reconnecting", "error", err)
	b.flights.failAll(ErrDisconnected)
}

func (b *Bus) onReconnect(nc *nats.Conn) {
	b.log.Info("NATS reconnected", "server", nc.ConnectedServerName())
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
	for wait := (backoff{}); ; {
		ctx, cancel := context.WithTimeout(b.life, b.opt.AckTimeout)
		err := b.Restore(ctx)
		cancel()
		if err == nil {
			return
		}
		b.log.Error("restoring the memory streams failed", "error", err)
		if wait.sleep(b.life) != nil || b.nc.Status() != nats.CONNECTED {
			return // the next reconnection starts it again
		}
	}
}

// onError logs what arrives outside of any call, and ends the attempts which
// the server denied: it answers those in no other way.
func (b *Bus) onError(_ *nats.Conn, sub *nats.Subscription, err error) {
	args := []any{"error", err}
	if sub != nil {
		args = append(args, "subject", sub.Subject)
	}
	if errors.Is(err, nats.ErrPermissionViolation) {
		if parts := strings.SplitN(err.Error(), `"`, 3); len(parts) == 3 {
			b.flights.fail(parts[1], fmt.Errorf("%w: %v", ErrDenied, err))
		}
		b.log.Error("NATS permission denied", args...)
		return
	}
	b.log.Warn("NATS connection", args...)
}

// nextReconnect is closed at the next reconnection.
func (b *Bus) nextReconnect() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reconnected
}

// Healthy is nil while connected.
func (b *Bus) Healthy() error {
	switch b.nc.Status() {
	case nats.CONNECTED:
		return nil
	case nats.CLOSED, nats.DRAINING_PUBS, nats.DRAINING_SUBS:
		return ErrClosed
	}
	return fmt.Errorf("%w: reconnecting to %s", ErrDisconnected, b.place())
}

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

// Close ends followers, consumers and subscriptions and waits for their
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
	b.flights.failAll(ErrClosed)
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
	for range cap(b.inFlight) { // every place free: no publish under way
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
