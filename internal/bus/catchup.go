package bus

import (
	"context"
	"fmt"
	"time"
)

// How a follower reads what is stored. With replicas, direct gets are answered by
// any of them, and each may be behind the others. So the end of such an answer, or a
// gap in it, is not the stream's: a follower goes over a sequence only if the
// stream's leader proves that nothing is stored there.

// source is what followers read: the bus.
type source interface {
	// scan reads from any replica, to that one's end.
	scan(ctx context.Context, stream Stream, from uint64, filter string, fn func(Message) bool) error
	// leaderNext is the first message from a sequence on at the stream's leader;
	// false if the leader has none.
	leaderNext(ctx context.Context, stream Stream, from uint64) (Message, bool, error)
	// anyNext is the first message from a sequence on at some replica.
	anyNext(ctx context.Context, stream Stream, from uint64) (Message, bool, error)
	// info is the leader's state of the stream.
	info(ctx context.Context, stream Stream) (streamInfo, error)
}

func (b *Bus) leaderNext(ctx context.Context, stream Stream, from uint64) (Message, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, b.opt.AckTimeout)
	defer cancel()
	return b.getJSON(ctx, b.names.stream(stream), map[string]any{"seq": from, "next_by_subj": b.names.prefix + ">"})
}

// catchUp reads what is stored, at least through until; false if ctx ended.
func (f *Follower) catchUp(ctx context.Context, until uint64) bool {
	until = max(until, f.startTarget())
	pause, nothing := newPause(), 0
	for {
		gap, err := f.readStored(ctx)
		if err == nil && !gap && f.next > until {
			f.settled()
			return true
		}
		proof := unproven
		if err == nil {
			proof, err = f.askLeader(ctx, until)
		}
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil:
			f.b.log.Warn("reading a stream failed, trying again", "stream", f.stream, "error", err)
			if pause.Wait(ctx) != nil || !f.refresh(ctx) {
				return false
			}
			until = f.startTarget()
			continue
		case proof == advanced:
			pause, nothing = newPause(), 0
			continue
		case proof == lost:
			until = f.startTarget() // a new incarnation has other sequences
			continue
		case proof == nothingThere:
			// Two answers in a row: each is two questions, which two leaders may have
			// answered, and the later one have taken over a moment ago.
			if nothing++; nothing == 2 {
				f.moveTo(until + 1)
				continue
			}
		}
		if pause.Wait(ctx) != nil {
			return false
		}
	}
}

// readStored hands on what is stored next in sequence, to the end of some replica.
// gap says that there is something later.
func (f *Follower) readStored(ctx context.Context) (gap bool, err error) {
	err = f.b.from.scan(ctx, f.stream, f.next, "", func(m Message) bool {
		if gap = m.Seq > f.next; gap || ctx.Err() != nil {
			return false
		}
		if m.Seq == f.next {
			f.handle(m)
			f.settled()
		}
		return ctx.Err() == nil
	})
	if err == nil && !gap {
		f.read = time.Now()
	}
	return gap, err
}

// proof is what the leader says of the sequences that a follower lacks.
type proof int

const (
	unproven     proof = iota // it does not know of them yet
	advanced                  // its next message was handled: what lies before is not stored
	nothingThere              // it was beyond them, and has nothing there
	lost                      // the position is gone: reading begins anew
)

// askLeader takes the next message from the stream's leader, and with it the proof
// that nothing is stored before. Where there is none, a stream that forgets may have
// forgotten the end. KEYS forgets nothing: what its leader lacks is damage (gaps.go).
func (f *Follower) askLeader(ctx context.Context, until uint64) (proof, error) {
	info, err := f.b.from.info(ctx, f.stream)
	if err != nil {
		return unproven, err
	}
	before := f.next
	if f.compare(info); f.next != before {
		return lost, nil
	}
	m, ok, err := f.b.from.leaderNext(ctx, f.stream, f.next)
	switch {
	case err != nil:
		return unproven, err
	case ok && m.Seq > f.next && f.stream == Keys:
		return advanced, f.overGap(ctx, m.Seq, &m, info)
	case ok && m.Seq >= f.next:
		f.handle(m)
		f.settled()
		return advanced, nil
	case !ok && info.last >= until && until >= f.next:
		if f.stream != Keys {
			return nothingThere, nil
		}
		if f.endAt != f.next {
			f.endLost, f.endAt = time.Now(), f.next
		}
		if info.replicas == 1 || time.Since(f.endLost) >= f.b.opt.CutPatience { // all copies were asked meanwhile
			return advanced, f.overGap(ctx, until+1, nil, info)
		}
	}
	return unproven, nil
}

// While a stream has no leader, nobody answers what is asked of it, also not the next
// leader: then it is asked anew after a second, so that what has been announced by then
// need not wait for a question that is lost. Elections take up to 9 s. A server that has
// answered none of these is slow, and has more time.
const (
	hastyTime  = time.Second
	hastyTries = 9
)

// refresh asks for the stream's state until it answers, and notices a loss;
// false if ctx ended.
func (f *Follower) refresh(ctx context.Context) bool {
	pause, warned := newPause(), false
	for tries := 1; ; tries++ {
		info, err := f.state(ctx, tries <= hastyTries)
		if err == nil {
			f.compare(info)
			return true
		}
		if tries >= hastyTries/2 && !warned { // it is more than a lost question
			f.b.log.Warn("stream does not answer, trying again", "stream", f.stream, "error", err)
			warned = true
		}
		if pause.Wait(ctx) != nil {
			return false
		}
	}
}

// state asks for the stream's state once.
func (f *Follower) state(ctx context.Context, hasty bool) (streamInfo, error) {
	if hasty {
		hurry, cancel := context.WithTimeout(ctx, hastyTime)
		defer cancel()
		ctx = hurry
	}
	return f.b.from.info(ctx, f.stream)
}

// compare finds out whether the follower's position is still in the stream.
func (f *Follower) compare(info streamInfo) {
	reason := ""
	switch {
	case f.id != "" && f.id != info.id:
		reason = fmt.Sprintf("was %s, is %s: it was created anew", f.id, info.id)
	case f.endsBefore(info.last):
		reason = fmt.Sprintf("ends at %d, the cursor waits for %d", info.last, f.next)
	}
	f.id, f.last = info.id, info.last
	if reason == "" {
		return
	}
	f.moveTo(1)
	f.gaps.Store(nil) // its sequences were others
	f.lookFrom = 0
	f.short = time.Time{}
	f.target = min(f.target, info.last)
	f.b.log.Error("position in stream lost", "stream", f.stream, "reason", reason)
	if f.opt.Lost != nil {
		f.opt.Lost(&LostError{Stream: f.stream, Reason: reason, StreamID: info.id})
	}
}

// endsBefore reports that the stream has ended before the follower's position for
// long enough. What was read may come from a replica that was ahead of the server
// that says so: one answer shows nothing.
func (f *Follower) endsBefore(last uint64) bool {
	switch now := time.Now(); {
	case last+1 >= f.next:
		f.short = time.Time{}
	case f.short.IsZero():
		f.short = now
	default:
		return now.Sub(f.short) >= f.b.opt.CutPatience
	}
	return false
}
