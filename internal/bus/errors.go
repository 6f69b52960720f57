package bus

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// Errors that callers decide on, besides those of package natsconn.
var (
	// ErrExists: the subject takes one message and has it (RESULTS, REQUESTS). Read it with Last.
	ErrExists = errors.New("a message is already stored on this subject")
	// ErrConflict: the subject does not end where the writer expected (10071).
	ErrConflict = errors.New("wrong last sequence")
	// ErrTooMany: a read found more than it may hold in memory.
	ErrTooMany = errors.New("too many messages")

	ErrUnknown      = natsconn.ErrUnknown
	ErrDenied       = natsconn.ErrDenied
	ErrDisconnected = natsconn.ErrDisconnected
	ErrNoStream     = natsconn.ErrNoStream
	ErrTooLarge     = natsconn.ErrTooLarge
	ErrClosed       = natsconn.ErrClosed
)

// BusyError says that a quota or a stream is full for now.
type BusyError = natsconn.BusyError

// LostError says that the stream no longer holds what a follower reads next.
type LostError struct {
	Stream   Stream
	Reason   string
	StreamID string // identity of the stream as it is now
}

func (e *LostError) Error() string {
	return fmt.Sprintf("stream %s: position lost: %s", e.Stream, e.Reason)
}

// permanent are the errors that no repetition of a publish changes.
var permanent = []error{
	ErrDenied, ErrClosed, ErrTooLarge, ErrExists, ErrSubject, nats.ErrBadSubject, nats.ErrHeadersNotSupported,
}

func isPermanent(err error) bool {
	return slices.ContainsFunc(permanent, func(p error) bool { return errors.Is(err, p) })
}

// classify names the subject of a failed request and says what it means.
func classify(subject string, err error) error {
	return fmt.Errorf("%s: %w", subject, natsconn.Classify(err))
}

// outcomeOf is what an attempt to store a message in a stream means.
func outcomeOf(stream Stream, subject string, err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch {
		case api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
			return ErrConflict
		case (stream == Results || stream == Requests) && natsconn.SubjectFull(api):
			return fmt.Errorf("%s: %w", subject, ErrExists)
		}
	}
	return classify(subject, err)
}
