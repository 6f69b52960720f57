// Package buswatch looks at the bus at intervals, for metrics and readiness:
// the round trip, the clocks, what streams and consumers hold, how far
// followers are behind, and what expires.
package buswatch

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// Options of a Watcher.
type Options struct {
	Log *slog.Logger

	// AllStreams has it look at every declared stream, its declared consumers and
	// the server's storage (gateways), and not only at the streams that are
	// followed.
	AllStreams bool
	// Embedded is the server that the bus is connected to in this process, if any.
	Embedded natsconn.Server
}

// Watcher samples one bus. Run does the work; the other methods may be called
// concurrently.
type Watcher struct {
	bus     *bus.Bus
	opt     Options
	sampled atomic.Pointer[taken]

	// Owned by Run.
	declared []bus.Declared
	clock    clock
	clockOf  bus.Stream // whose leader's clock that is
	compared time.Time  // when the clocks were compared last
	lags     map[*bus.Follower]*lag
	unasked  map[bus.Stream]unasked
	problems map[string]problem // of streams and consumers, by the question about them
	expiry   *natsconn.Expiry
	failing  map[string]bool // what was warned about
}

// New returns a Watcher that has not looked yet.
func New(b *bus.Bus, opt Options) *Watcher {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Watcher{
		bus: b, opt: opt, declared: b.Declared(), expiry: b.Conn().Expiry(),
		lags: make(map[*bus.Follower]*lag), unasked: make(map[bus.Stream]unasked),
		problems: make(map[string]problem), failing: make(map[string]bool),
	}
}

// Run samples the bus at once and then at every interval, until ctx ends or the
// bus is closed. A question without an answer delays a sample by the bus's
// AckTimeout: with an interval far below that, samples grow old.
func (w *Watcher) Run(ctx context.Context, every time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if s, lagging := w.sample(ctx); ctx.Err() == nil {
			w.sampled.Store(&taken{
				Sample: s, compared: w.compared, lagging: lagging, broken: w.broken(s.At), every: every,
			})
		}
		select {
		case <-tick.C:
		case <-w.bus.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// sample looks at everything. What fails is left out. Without a connection it
// has what is known without one: that a certificate expired matters most then.
func (w *Watcher) sample(ctx context.Context) (s Sample, lagging error) {
	ends := make(map[bus.Stream]end)
	w.declared = w.bus.Declared() // more once the fleet has another manifest
	if w.bus.Healthy() == nil {
		all := w.streams(&s, ends)
		if w.opt.AllStreams {
			all = append(all, w.consumers(&s)...)
		}
		all = append(all, w.storage(&s))
		w.ask(ctx, &s, all)
	} else {
		clear(w.unasked)
		clear(w.problems)
	}
	s.At = time.Now()
	s.ClockOffset = w.clock.offset()
	s.Followers, lagging = w.followers(s.At, ends)
	s.Credentials = w.credentials()
	return s, lagging
}

// note warns when something begins to fail, not at every sample.
func (w *Watcher) note(what string, err error) {
	if w.interrupted(err) {
		return
	}
	if err != nil && !w.failing[what] {
		w.opt.Log.Warn("watching the bus", "missing", what, "error", err)
	}
	w.failing[what] = err != nil
}

// interrupted reports whether a question failed with the connection or with Run,
// and so not because of what was asked about. A lost connection has its own line
// in the log.
func (w *Watcher) interrupted(err error) bool {
	return err != nil && (errors.Is(err, context.Canceled) || errors.Is(err, bus.ErrDisconnected) ||
		errors.Is(err, bus.ErrClosed) || w.bus.Healthy() != nil)
}

// credentials are those of which the expiry is known.
func (w *Watcher) credentials() (known []natsconn.Credential) {
	failed := make(map[string]error)
	for _, c := range w.expiry.Read() {
		failed[c.Name] = c.Err
		if !c.Expires.IsZero() {
			known = append(known, c)
		}
	}
	for _, name := range natsconn.CredentialNames {
		w.note(name, failed[name])
	}
	return known
}
