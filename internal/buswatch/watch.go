// Package buswatch looks at the bus at intervals, for metrics and readiness:
// the round trip, the clocks, what streams and consumers hold, how far
// followers are behind, and what expires.
package buswatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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
	bus      *bus.Bus
	opt      Options
	declared []bus.Declared
	sampled  atomic.Pointer[taken]

	// Owned by Run.
	clock   clock
	clockOf bus.Stream // whose leader's clock that is
	lags    map[*bus.Follower]*lag
	unasked map[bus.Stream]unasked
	expiry  *natsconn.Expiry
	failing map[string]bool // what was warned about
}

// New returns a Watcher that has not looked yet.
func New(b *bus.Bus, opt Options) *Watcher {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Watcher{
		bus: b, opt: opt, declared: b.Declared(), expiry: b.Conn().Expiry(),
		lags: make(map[*bus.Follower]*lag), unasked: make(map[bus.Stream]unasked), failing: make(map[string]bool),
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
			w.sampled.Store(&taken{Sample: s, lagging: lagging, every: every})
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
	if w.bus.Healthy() == nil {
		all := w.streams(&s, ends)
		if w.opt.AllStreams {
			all = append(all, w.consumers(&s)...)
			all = append(all, w.storage(&s))
		}
		w.ask(ctx, &s, all)
	} else {
		clear(w.unasked)
	}
	s.At = time.Now()
	s.ClockOffset = w.clock.offset()
	s.Followers, lagging = w.followers(s.At, ends)
	s.Credentials = w.credentials()
	return s, lagging
}

// question is one of a sample to the JetStream API.
type question struct {
	what, subject string
	answer        any
	done          func(*question) // with or without err

	asked time.Time
	rtt   time.Duration
	err   error
}

// ask puts all questions at once, so that one without an answer hides no other,
// and then calls done for each, in their order.
func (w *Watcher) ask(ctx context.Context, s *Sample, all []*question) {
	var asking sync.WaitGroup
	for _, q := range all {
		asking.Go(func() { q.asked, q.rtt, q.err = w.bus.Ask(ctx, q.subject, q.answer) })
	}
	rtt, err := w.bus.Ping(ctx)
	asking.Wait()
	w.note("round trip", err)
	s.RTT = rtt
	for _, q := range all {
		w.note(q.what, q.err)
		q.done(q)
	}
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

// streams asks about the streams. Each answer also says when it was given, by
// the clock of the server that leads the stream. These may differ: only the
// first stream's counts, which for gateways is JOBS, whose times they use.
func (w *Watcher) streams(s *Sample, ends map[bus.Stream]end) (all []*question) {
	followed := w.followed()
	for _, d := range w.declared {
		follow := len(followed[d.Stream]) > 0
		if !follow && !w.opt.AllStreams {
			continue
		}
		first := len(all) == 0
		info := new(jetstream.StreamInfo)
		done := func(q *question) {
			if follow {
				w.reached(d.Stream, q)
			}
			if q.err != nil {
				return
			}
			s.Streams = append(s.Streams, StreamState{Stream: d.Stream, Messages: info.State.Msgs,
				Bytes: info.State.Bytes, Last: info.State.LastSeq, MaxBytes: info.Config.MaxBytes})
			ends[d.Stream] = end{q.asked, info.Created.String(), info.State.FirstSeq, info.State.LastSeq}
			if first && !info.TimeStamp.IsZero() {
				w.compare(d.Stream, newReading(q.asked, q.rtt, info.TimeStamp))
				s.ClockKnown = true
			}
		}
		all = append(all, &question{what: "stream " + string(d.Stream), subject: "$JS.API.STREAM.INFO." + d.Name,
			answer: info, done: done})
	}
	return all
}

// compare takes a reading of the clock of a stream's leader.
func (w *Watcher) compare(stream bus.Stream, r reading) {
	if w.clockOf != stream {
		w.clock, w.clockOf = clock{}, stream
	}
	w.clock.add(r)
}

func (w *Watcher) consumers(s *Sample) (all []*question) {
	for _, d := range w.declared {
		for _, durable := range d.Durables {
			info := new(jetstream.ConsumerInfo)
			done := func(q *question) {
				if q.err == nil {
					s.Consumers = append(s.Consumers, ConsumerState{Durable: durable, Pending: info.NumPending,
						Unacknowledged: uint64(max(info.NumAckPending, 0))})
				}
			}
			all = append(all, &question{what: "consumer " + durable,
				subject: "$JS.API.CONSUMER.INFO." + d.Name + "." + durable, answer: info, done: done})
		}
	}
	return all
}

func (w *Watcher) storage(s *Sample) *question {
	info := new(jetstream.AccountInfo)
	return &question{what: "storage", subject: "$JS.API.INFO", answer: info, done: func(q *question) {
		if q.err != nil {
			return
		}
		file := StorageState{Kind: StorageFile, Used: info.Store, Limit: info.Limits.MaxStore}
		memory := StorageState{Kind: StorageMemory, Used: info.Memory, Limit: info.Limits.MaxMemory}
		if w.opt.Embedded != nil { // one account, which may take what the server may
			memory.Limit, file.Limit = w.opt.Embedded.Limits()
		}
		s.Storage = []StorageState{file, memory}
	}}
}
