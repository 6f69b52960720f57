package bus

import (
	"context"
	"errors"
	"fmt"
)

// PublishSlot writes data to a slot unless the slot has a value. isValue says,
// from public data alone, whether a stored message is one. found means that the
// slot had a value, which is the message that isValue accepted last; otherwise
// data is the value now. PublishSlot retries until ctx ends, as Publish does.
// In a free slot it takes one round trip.
//
// In a stream that keeps one message per subject (RESULTS) junk can't be
// stepped over; the error is ErrExists.
func (b *Bus) PublishSlot(ctx context.Context, subject string, data []byte, header map[string][]string,
	isValue func(Message) bool) (found bool, err error) {
	m, stream, err := b.outgoing(subject, data, header)
	if err != nil {
		return false, err
	}
	var junk uint64 // everything in the slot up to here is junk
	for retry := b.newRetry(subject); ; {
		expecting(m, junk)
		_, err := b.store(ctx, stream, subject, m)
		switch {
		case err == nil:
			return false, nil
		case errors.Is(err, ErrConflict), errors.Is(err, ErrExists), errors.Is(err, ErrUnknown):
			found, upTo, scanErr := b.findValue(ctx, stream, subject, junk, isValue)
			switch {
			case found:
				return true, nil
			case upTo > junk: // more junk: expect exactly that
				junk = upTo
				if errors.Is(err, ErrConflict) {
					continue
				}
			case scanErr == nil && errors.Is(err, ErrExists):
				return false, fmt.Errorf("the stored message is not valid and can't be replaced: %w", err)
			case errors.Is(scanErr, ErrDenied):
				return false, scanErr
			}
		case isPermanent(err):
			return false, err
		}
		if err := retry.wait(ctx, err); err != nil {
			return false, err
		}
	}
}

// Swap makes one attempt to store a message on a subject whose last one has a sequence,
// 0 if there is none. ErrConflict: it ends with another one. After ErrUnknown it may
// have been stored.
func (b *Bus) Swap(ctx context.Context, subject string, data []byte, last uint64) (seq uint64, err error) {
	return b.SwapWith(ctx, subject, data, nil, last)
}

// SwapWith is Swap of a message with headers.
func (b *Bus) SwapWith(ctx context.Context, subject string, data []byte, header map[string][]string,
	last uint64) (seq uint64, err error) {
	m, stream, err := b.outgoing(subject, data, header)
	if err != nil {
		return 0, err
	}
	expecting(m, last)
	return b.store(ctx, stream, subject, m)
}

// findValue reads what the slot holds after a sequence. It stops at the first
// value; upTo is the last junk.
func (b *Bus) findValue(ctx context.Context, stream Stream, subject string, after uint64,
	isValue func(Message) bool) (found bool, upTo uint64, err error) {
	upTo = after
	err = b.scan(ctx, stream, after+1, subject, func(m Message) bool {
		if found = isValue(m); !found {
			upTo = m.Seq
		}
		return !found
	})
	return found, upTo, err
}
