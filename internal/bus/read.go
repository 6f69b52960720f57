package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bounds of reading.
const (
	pageMessages = 256     // messages in one batch
	pageBytes    = 4 << 20 // bytes in one batch; the last message may go beyond
	oneAnswer    = 8       // messages that a reader of one message keeps, each question's answer

	maxSlots     = 1 << 16   // messages that Slots returns
	maxSlotBytes = 512 << 20 // and their bytes
	maxPart      = 1 << 14   // messages that Part returns
	maxPartBytes = 64 << 20  // and their bytes
	maxPageBytes = 8 << 20   // bytes that Page returns
)

// Last reads the newest message on a subject; false if there is none. With
// replicas the answer may be a moment behind the leader.
func (b *Bus) Last(ctx context.Context, stream Stream, subject string) (Message, bool, error) {
	if err := checkSubject(subject); err != nil {
		return Message{}, false, err
	}
	name, full := b.names.stream(stream), b.names.prefix+subject
	r, err := b.newReader(name, oneAnswer)
	if err != nil {
		return Message{}, false, err
	}
	defer r.close()
	m, err := r.ask(ctx, "$JS.API.DIRECT.GET."+name+"."+full, nil)
	if err != nil {
		return Message{}, false, fmt.Errorf("reading %s: %w", subject, err)
	}
	if isEnd(m) {
		return Message{}, false, nil
	}
	got, err := b.stored(m, name)
	if err == nil && got.Subject == subject {
		return got, true, nil
	}
	return b.getJSON(ctx, name, map[string]any{"last_by_subj": full})
}

// LastAtLeader is Last as the stream's leader knows it, which alone decides a Swap. It
// costs the leader more than Last.
func (b *Bus) LastAtLeader(ctx context.Context, stream Stream, subject string) (Message, bool, error) {
	if err := checkSubject(subject); err != nil {
		return Message{}, false, err
	}
	m, found, err := b.getJSON(ctx, b.names.stream(stream), map[string]any{"last_by_subj": b.names.prefix + subject})
	if err != nil {
		return Message{}, false, fmt.Errorf("reading %s: %w", subject, err)
	}
	return m, found, nil
}

// Slots reads all messages under a filter, such as dkg.<batch>.>, in stream
// order. More than 65,536 messages or 512 MiB are ErrTooMany.
func (b *Bus) Slots(ctx context.Context, stream Stream, filter string) ([]Message, error) {
	out, more, err := b.part(ctx, stream, 1, filter, limits{maxSlots, maxSlotBytes})
	if err == nil && more {
		err = fmt.Errorf("reading %s: %w", filter, ErrTooMany)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Part reads the messages under a filter from a sequence on, in stream order, and
// tells whether there are more than it returns: 16,384 messages, or 64 MiB and a
// message. Whoever may write to one of the subjects can't keep anybody from reading
// the others, however much is there.
func (b *Bus) Part(ctx context.Context, stream Stream, from uint64, filter string) ([]Message, bool, error) {
	return b.part(ctx, stream, from, filter, limits{maxPart, maxPartBytes})
}

// Page is Part of so many messages at most, or 8 MiB and a message.
func (b *Bus) Page(ctx context.Context, stream Stream, from uint64, filter string, messages int) ([]Message, bool, error) {
	return b.part(ctx, stream, from, filter, limits{messages, maxPageBytes})
}

// limits bound what a read holds in memory.
type limits struct{ messages, bytes int }

func (b *Bus) part(
	ctx context.Context, stream Stream, from uint64, filter string, l limits,
) (out []Message, more bool, err error) {
	if err := checkFilter(filter); err != nil {
		return nil, false, err
	}
	total := 0
	err = b.scan(ctx, stream, from, filter, func(m Message) bool {
		if more = len(out) == l.messages || total > l.bytes; more {
			return false
		}
		total += len(m.Data)
		out = append(out, m)
		return true
	})
	return out, more, err
}

// StreamID identifies one incarnation of a stream: a stream that was deleted
// and created again has another, and cursors into the old one mean nothing.
func (b *Bus) StreamID(ctx context.Context, stream Stream) (string, error) {
	info, err := b.state(ctx, stream)
	if err != nil {
		return "", err
	}
	return info.id, nil
}

type streamInfo struct {
	id          string
	first, last uint64
	count       uint64
	replicas    int
	copies      int    // that are there and complete
	leader      string // server; "" of a single one
}

// state is info, asked for until ctx ends: a program that starts while the server
// starts too has no stream in memory yet, or loses the answer with its connection.
func (b *Bus) state(ctx context.Context, stream Stream) (streamInfo, error) {
	for pause, warned := newPause(), false; ; {
		info, err := b.info(ctx, stream)
		if err == nil || isPermanent(err) || errors.Is(err, nats.ErrConnectionClosed) {
			return info, err
		}
		if pause.Wait(ctx) != nil {
			return info, fmt.Errorf("%w (last attempt: %w)", ctx.Err(), err)
		}
		if !warned {
			b.log.Warn("stream does not answer, trying again", "stream", stream, "error", err)
			warned = true
		}
	}
}

func (b *Bus) info(ctx context.Context, stream Stream) (streamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, b.opt.AckTimeout)
	defer cancel()
	name := b.names.stream(stream)
	s, err := b.nc.JS.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return streamInfo{}, fmt.Errorf("stream %s: %w: %w", name, ErrNoStream, err)
	}
	if err != nil {
		return streamInfo{}, fmt.Errorf("stream %s: %w", name, err)
	}
	i := s.CachedInfo()
	info := streamInfo{
		id:    name + "@" + i.Created.UTC().Format(time.RFC3339Nano),
		first: i.State.FirstSeq, last: i.State.LastSeq, count: i.State.Msgs, replicas: i.Config.Replicas,
		copies: 1,
	}
	if i.Cluster != nil && info.replicas > 1 {
		info.leader = i.Cluster.Leader
		for _, r := range i.Cluster.Replicas {
			if r.Current && !r.Offline {
				info.copies++
			}
		}
	}
	return info, nil
}

// anyNext is the first message from a sequence on at some replica; false if that one has
// none.
func (b *Bus) anyNext(ctx context.Context, stream Stream, from uint64) (Message, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, b.opt.AckTimeout)
	defer cancel()
	name := b.names.stream(stream)
	r, err := b.newReader(name, oneAnswer)
	if err != nil {
		return Message{}, false, err
	}
	defer r.close()
	question := map[string]any{"seq": from, "next_by_subj": b.names.prefix + ">"}
	body, err := json.Marshal(question)
	if err != nil {
		return Message{}, false, err
	}
	m, err := r.ask(ctx, "$JS.API.DIRECT.GET."+name, body)
	if err != nil || isEnd(m) {
		return Message{}, false, err
	}
	if got, err := b.stored(m, name); err == nil && got.Seq >= from {
		return got, true, nil
	}
	return b.getJSON(ctx, name, question) // its headers hide what it is
}

// scan hands stored messages from a sequence on to fn, in order, until fn
// returns false or the stream's present end. filter is relative; "" is all.
func (b *Bus) scan(ctx context.Context, stream Stream, from uint64, filter string, fn func(Message) bool) error {
	r, err := b.newReader(b.names.stream(stream), 4*pageMessages)
	if err != nil {
		return err
	}
	defer r.close()
	for next := max(from, 1); ; {
		p, err := r.page(ctx, next, filter, fn)
		if err != nil {
			return fmt.Errorf("reading stream %s at %d: %w", stream, p.next, err)
		}
		if p.end || p.stopped {
			return nil
		}
		next = p.next
	}
}
