package bus

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// watcher is what Watch keeps between samples.
type watcher struct {
	b     *Bus
	clock clock
	lags  map[Stream]*lag

	files   map[string]expiry // by path
	failing map[string]bool   // what was warned about
}

// Watch samples the bus at once and then at every interval until ctx ends or
// the bus is closed. One at a time.
func (b *Bus) Watch(ctx context.Context, every time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.life, cancel)()
	w := &watcher{b: b, lags: make(map[Stream]*lag), files: make(map[string]expiry), failing: make(map[string]bool)}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if s := w.sample(ctx, max(every, b.opt.AckTimeout)); ctx.Err() == nil {
			b.sampled.Store(&taken{Sample: s, every: every})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sample asks for everything, one after the other, within limit. What fails is
// left out. Without a connection it tells what is known without one: that a
// certificate expired matters most then.
func (w *watcher) sample(ctx context.Context, limit time.Duration) Sample {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var s Sample
	if w.b.nc.Status() == nats.CONNECTED {
		s.RTT = w.rtt(ctx)
		w.streams(ctx, &s)
		if w.b.opt.WatchStreams {
			w.consumers(ctx, &s)
			w.storage(ctx, &s)
		}
	}
	s.At = time.Now()
	s.ClockOffset = w.clock.offset()
	s.Followers = w.followers(s.At)
	s.Credentials = w.credentials()
	return s
}

// note warns when something begins to fail, not at every sample. A lost
// connection has its own line.
func (w *watcher) note(what string, err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrDisconnected) || errors.Is(err, ErrClosed) {
		return
	}
	if err != nil && !w.failing[what] {
		w.b.log.Warn("watching the bus", "missing", what, "error", err)
	}
	w.failing[what] = err != nil
}

func (w *watcher) rtt(ctx context.Context) time.Duration {
	start := time.Now()
	err := w.b.nc.FlushWithContext(ctx) // a ping and its pong
	w.note("round trip", err)
	if err != nil {
		return 0
	}
	return time.Since(start)
}

// streams looks at the streams, and at the clocks: each answer says when it
// was given.
func (w *watcher) streams(ctx context.Context, s *Sample) {
	followed := w.b.followed()
	best := reading{rtt: math.MaxInt64}
	for i := range w.b.declared {
		name := w.b.declared[i].Name
		_, follow := followed[name]
		if !follow && !w.b.opt.WatchStreams {
			continue
		}
		var info jetstream.StreamInfo
		asked, rtt, err := w.b.api(ctx, "$JS.API.STREAM.INFO."+w.b.names.stream(name), &info)
		w.note("stream "+string(name), err)
		if err != nil {
			continue
		}
		s.Streams = append(s.Streams, StreamState{Stream: name, Messages: info.State.Msgs, Bytes: info.State.Bytes,
			Last: info.State.LastSeq, MaxBytes: info.Config.MaxBytes})
		if follow {
			w.lag(name).extend(asked, info.Created.String(), info.State.FirstSeq, info.State.LastSeq)
		}
		if !info.TimeStamp.IsZero() && rtt < best.rtt {
			best = newReading(asked, rtt, info.TimeStamp)
		}
	}
	if best.rtt < math.MaxInt64 {
		w.clock.add(best)
	}
}

func (w *watcher) lag(stream Stream) *lag {
	l := w.lags[stream]
	if l == nil {
		l = new(lag)
		w.lags[stream] = l
	}
	return l
}

// followed is the last sequence handled in each followed stream, by the
// follower that is furthest behind.
func (b *Bus) followed() map[Stream]uint64 {
	out := make(map[Stream]uint64)
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.owned {
		f, ok := s.(*Follower)
		if !ok {
			continue
		}
		handled := f.handled.Load()
		if other, two := out[f.stream]; !two || handled < other {
			out[f.stream] = handled
		}
	}
	return out
}

// followers compares with the ends seen last, whenever that was.
func (w *watcher) followers(now time.Time) []FollowerState {
	var out []FollowerState
	followed := w.b.followed()
	for i := range w.b.declared {
		name := w.b.declared[i].Name
		handled, follow := followed[name]
		l := w.lags[name]
		if !follow {
			delete(w.lags, name)
		}
		if !follow || l == nil {
			continue
		}
		messages, since := l.behind(now, handled)
		out = append(out, FollowerState{Stream: name, Behind: messages, For: since})
	}
	return out
}

func (w *watcher) consumers(ctx context.Context, s *Sample) {
	for i := range w.b.declared {
		d := &w.b.declared[i]
		for j := range d.Consumers {
			name := d.Consumers[j].Durable
			var info jetstream.ConsumerInfo
			_, _, err := w.b.api(ctx, "$JS.API.CONSUMER.INFO."+w.b.names.stream(d.Name)+"."+name, &info)
			w.note("consumer "+name, err)
			if err == nil {
				s.Consumers = append(s.Consumers, ConsumerState{Durable: name, Pending: info.NumPending,
					Unacknowledged: uint64(max(info.NumAckPending, 0))})
			}
		}
	}
}

func (w *watcher) storage(ctx context.Context, s *Sample) {
	var info jetstream.AccountInfo
	_, _, err := w.b.api(ctx, "$JS.API.INFO", &info)
	w.note("storage", err)
	if err != nil {
		return
	}
	file := StorageState{Kind: StorageFile, Used: info.Store, Limit: info.Limits.MaxStore}
	memory := StorageState{Kind: StorageMemory, Used: info.Memory, Limit: info.Limits.MaxMemory}
	if w.b.opt.Embedded != nil { // one account, which may take what the server may
		file.Limit, memory.Limit = embeddedStore, embeddedMemory
	}
	s.Storage = []StorageState{file, memory}
}
