package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// watcher is what Watch keeps between samples.
type watcher struct {
	b       *Bus
	clock   clock
	clockOf Stream // whose leader's clock that is
	lags    map[*Follower]*lag
	unasked map[Stream]unasked

	files   map[string]expiry // by path
	failing map[string]bool   // what was warned about
}

func newWatcher(b *Bus) *watcher {
	return &watcher{b: b, lags: make(map[*Follower]*lag), unasked: make(map[Stream]unasked),
		files: make(map[string]expiry), failing: make(map[string]bool)}
}

// Watch samples the bus at once and then at every interval until ctx ends or
// the bus is closed. One at a time. A question without an answer holds a sample
// up for Options.AckTimeout: an interval far below that lets samples grow old.
func (b *Bus) Watch(ctx context.Context, every time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.life, cancel)()
	w := newWatcher(b)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if s, lagging := w.sample(ctx); ctx.Err() == nil {
			b.sampled.Store(&taken{Sample: s, lagging: lagging, every: every})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sample looks at everything. What fails is left out. Without a connection it
// tells what is known without one: that a certificate expired matters most then.
func (w *watcher) sample(ctx context.Context) (s Sample, lagging error) {
	ends := make(map[Stream]end)
	if w.b.nc.Status() == nats.CONNECTED {
		all := w.streams(&s, ends)
		if w.b.opt.WatchStreams {
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
	heard         func(*question) // with or without err

	asked time.Time
	rtt   time.Duration
	err   error
}

// ask puts all questions at once, so that one without an answer hides no other,
// and hears what became of each, in their order.
func (w *watcher) ask(ctx context.Context, s *Sample, all []*question) {
	var asking sync.WaitGroup
	for _, q := range all {
		asking.Go(func() { q.asked, q.rtt, q.err = w.b.api(ctx, q.subject, q.answer) })
	}
	rtt, err := w.rtt(ctx)
	asking.Wait()
	w.note("round trip", err)
	s.RTT = rtt
	for _, q := range all {
		w.note(q.what, q.err)
		q.heard(q)
	}
}

// note warns when something begins to fail, not at every sample.
func (w *watcher) note(what string, err error) {
	if w.interrupted(err) {
		return
	}
	if err != nil && !w.failing[what] {
		w.b.log.Warn("watching the bus", "missing", what, "error", err)
	}
	w.failing[what] = err != nil
}

// interrupted says that a question failed with the connection or with Watch,
// which tells nothing of what was asked about. A lost connection has its own
// line in the log.
func (w *watcher) interrupted(err error) bool {
	return err != nil && (errors.Is(err, context.Canceled) || errors.Is(err, ErrDisconnected) ||
		errors.Is(err, ErrClosed) || w.b.Healthy() != nil)
}

func (w *watcher) rtt(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, w.b.opt.AckTimeout)
	defer cancel()
	start := time.Now()
	if err := w.b.nc.FlushWithContext(ctx); err != nil { // a ping and its pong
		return 0, err
	}
	return time.Since(start), nil
}

// streams asks about the streams. Each answer also says when it was given, by
// the clock of the server that leads the stream. These may differ: only the
// first stream's counts, which for gateways is JOBS, whose times they use.
func (w *watcher) streams(s *Sample, ends map[Stream]end) (all []*question) {
	followed := w.b.followed()
	for i := range w.b.declared {
		name := w.b.declared[i].Name
		follow := len(followed[name]) > 0
		if !follow && !w.b.opt.WatchStreams {
			continue
		}
		first := len(all) == 0
		info := new(jetstream.StreamInfo)
		all = append(all, &question{what: "stream " + string(name), subject: "$JS.API.STREAM.INFO." + w.b.names.stream(name), answer: info, heard: func(q *question) {
			if follow {
				w.reached(name, q)
			}
			if q.err != nil {
				return
			}
			s.Streams = append(s.Streams, StreamState{Stream: name, Messages: info.State.Msgs, Bytes: info.State.Bytes,
				Last: info.State.LastSeq, MaxBytes: info.Config.MaxBytes})
			ends[name] = end{q.asked, info.Created.String(), info.State.FirstSeq, info.State.LastSeq}
			if first && !info.TimeStamp.IsZero() {
				w.compare(name, newReading(q.asked, q.rtt, info.TimeStamp))
				s.ClockKnown = true
			}
		}})
	}
	return all
}

// compare takes a reading of the clock of a stream's leader.
func (w *watcher) compare(stream Stream, r reading) {
	if w.clockOf != stream {
		w.clock, w.clockOf = clock{}, stream
	}
	w.clock.add(r)
}

func (w *watcher) consumers(s *Sample) (all []*question) {
	for i := range w.b.declared {
		d := &w.b.declared[i]
		for j := range d.Consumers {
			name := d.Consumers[j].Durable
			info := new(jetstream.ConsumerInfo)
			all = append(all, &question{what: "consumer " + name, subject: "$JS.API.CONSUMER.INFO." + w.b.names.stream(d.Name) + "." + name, answer: info, heard: func(q *question) {
				if q.err == nil {
					s.Consumers = append(s.Consumers, ConsumerState{Durable: name, Pending: info.NumPending,
						Unacknowledged: uint64(max(info.NumAckPending, 0))})
				}
			}})
		}
	}
	return all
}

func (w *watcher) storage(s *Sample) *question {
	info := new(jetstream.AccountInfo)
	return &question{what: "storage", subject: "$JS.API.INFO", answer: info, heard: func(q *question) {
		if q.err != nil {
			return
		}
		file := StorageState{Kind: StorageFile, Used: info.Store, Limit: info.Limits.MaxStore}
		memory := StorageState{Kind: StorageMemory, Used: info.Memory, Limit: info.Limits.MaxMemory}
		if w.b.opt.Embedded != nil { // one account, which may take what the server may
			file.Limit, memory.Limit = embeddedStore, embeddedMemory
		}
		s.Storage = []StorageState{file, memory}
	}}
}
