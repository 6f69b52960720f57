package buswatch

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/bus"
	timeofday "github.com/frostfleet/frostfleet/internal/clock"
)

// question is one of a sample to the JetStream API.
type question struct {
	what, subject string
	body          []byte
	answer        any
	done          func(*question) // with or without err

	asked time.Time
	rtt   time.Duration
	err   error
}

// storageQuestion is what the account takes. It is also how to see whether JetStream
// is there at all.
const storageQuestion = "storage"

func streamQuestion(stream bus.Stream) string { return "stream " + string(stream) }
func consumerQuestion(durable string) string  { return "consumer " + durable }

// ask puts all questions at once, so that one without an answer hides no other,
// and then calls done for each, in their order.
func (w *Watcher) ask(ctx context.Context, s *Sample, all []*question) {
	var asking sync.WaitGroup
	for _, q := range all {
		asking.Go(func() {
			q.asked = timeofday.Now()
			q.err = w.bus.Ask(ctx, q.subject, q.body, q.answer)
			q.rtt = timeofday.Now().Sub(q.asked)
		})
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
			w.judge(q, info.Cluster)
			if q.err != nil {
				if !w.interrupted(q.err) {
					s.Leaderless = append(s.Leaderless, d.Stream)
				}
				return
			}
			want, current := replicas(info)
			s.Streams = append(s.Streams, StreamState{Stream: d.Stream, Messages: info.State.Msgs,
				Bytes: info.State.Bytes, Last: info.State.LastSeq, MaxBytes: info.Config.MaxBytes,
				Replicas: want, Current: current, AtQuota: atQuota(info),
				Damaged: damaged(d.Stream, &info.State, followed[d.Stream])})
			ends[d.Stream] = end{q.asked, info.Created.String(), info.State.FirstSeq, info.State.LastSeq}
			if first && !info.TimeStamp.IsZero() {
				w.compare(d.Stream, newReading(q.asked, q.rtt, info.TimeStamp))
				w.compared = q.asked.Add(q.rtt)
				s.ClockKnown = true
			}
		}
		q := &question{what: streamQuestion(d.Stream), subject: "$JS.API.STREAM.INFO." + d.Name, answer: info, done: done}
		if d.Stream == bus.Jobs || d.Stream == bus.Bulk {
			q.body = bySubject
		}
		all = append(all, q)
	}
	return all
}

// bySubject asks for what a stream holds of each subject, too.
var bySubject = []byte(`{"subjects_filter":">"}`)

// atQuota counts the subjects of a stream that hold as many messages as they may. Who
// publishes one more is told that the fleet is busy.
func atQuota(info *jetstream.StreamInfo) (full int) {
	quota := info.Config.MaxMsgsPerSubject
	for _, held := range info.State.Subjects {
		if quota > 0 && held >= uint64(quota) {
			full++
		}
	}
	return full
}

// damaged is how many messages a copy of KEYS lacks.
func damaged(stream bus.Stream, s *jetstream.StreamState, followers []*bus.Follower) (n uint64) {
	if stream != bus.Keys {
		return 0 // what is not there was deleted
	}
	for _, f := range followers {
		found := uint64(0)
		for _, g := range f.Gaps() {
			found += g.Len()
		}
		n = max(n, found)
	}
	return max(n, bus.Missing(1, s.LastSeq, s.Msgs))
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
				w.judge(q, info.Cluster)
				if q.err == nil {
					s.Consumers = append(s.Consumers, ConsumerState{Durable: durable, Pending: info.NumPending,
						Unacknowledged: uint64(max(info.NumAckPending, 0))})
				}
			}
			all = append(all, &question{what: consumerQuestion(durable),
				subject: "$JS.API.CONSUMER.INFO." + d.Name + "." + durable, answer: info, done: done})
		}
	}
	return all
}

func (w *Watcher) storage(s *Sample) *question {
	info := new(jetstream.AccountInfo)
	return &question{what: storageQuestion, subject: "$JS.API.INFO", answer: info, done: func(q *question) {
		w.judge(q, nil)
		if q.err != nil || !w.opt.AllStreams {
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
