package bus

import (
	"context"
	"errors"
	"fmt"
)

// Verdict is what a caller says about a message in a slot, from public data
// alone.
type Verdict int

const (
	Junk  Verdict = iota // not valid: the slot does not have its value yet
	Mine                 // valid, and this caller's own value
	Other                // valid, and somebody else's
)

func (v Verdict) String() string {
	switch v {
	case Mine:
		return "mine"
	case Other:
		return "other"
	}
	return "junk"
}

// PublishSlot writes data to a slot unless the slot has a value. It returns
// Mine when data, or an earlier message that judge calls Mine, is the value,
// and Other when somebody else's is. It goes on through lost connections and
// unknown outcomes until ctx ends. On the way nobody is in the way: one round
// trip.
//
// In a stream that keeps one message per subject (RESULTS) junk can't be
// stepped over; the error is ErrExists.
func (b *Bus) PublishSlot(ctx context.Context, subject string, data []byte, header map[string][]string,
	judge func(Message) Verdict) (Verdict, error) {
	m, err := b.outgoing(subject, data, header)
	if err != nil {
		return Junk, err
	}
	stream, err := b.streamOf(subject)
	if err != nil {
		return Junk, err
	}
	var judged uint64 // everything in the slot up to here is junk
	for wait := (backoff{}); ; {
		expecting(m, judged)
		_, err := b.store(ctx, stream, subject, m)
		switch {
		case err == nil:
			return Mine, nil
		case errors.Is(err, errConflict), errors.Is(err, ErrExists), errors.Is(err, ErrUnknown):
			v, upTo, scanErr := b.judgeSlot(ctx, stream, subject, judged, judge)
			switch {
			case v != Junk:
				return v, nil
			case upTo > judged: // more junk: expect exactly that
				judged = upTo
				if errors.Is(err, errConflict) {
					continue
				}
			case scanErr == nil && errors.Is(err, ErrExists):
				return Junk, fmt.Errorf("the stored message is not valid and can't be replaced: %w", err)
			case scanErr != nil && errors.Is(scanErr, ErrDenied):
				return Junk, scanErr
			}
		case errors.Is(err, ErrDisconnected), errors.Is(err, ErrNoStream):
		default:
			return Junk, err
		}
		if wait.sleep(ctx) != nil {
			return Junk, fmt.Errorf("writing slot %s: %w (last attempt: %w)", subject, ctx.Err(), err)
		}
	}
}

// judgeSlot reads what the slot holds after a sequence. It stops at the first
// valid message; upTo is the last junk.
func (b *Bus) judgeSlot(ctx context.Context, stream Stream, subject string, after uint64,
	judge func(Message) Verdict) (v Verdict, upTo uint64, err error) {
	upTo = after
	err = b.scan(ctx, stream, after+1, subject, func(m Message) bool {
		if v = judge(m); v != Junk {
			return false
		}
		upTo = m.Seq
		return true
	})
	return v, upTo, err
}
