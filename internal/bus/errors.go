package bus

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors that callers decide on.
var (
	// ErrExists: the subject takes one message and has it. Read it with Last.
	ErrExists = errors.New("a message is already stored on this subject")
	// ErrUnknown: the server's answer did not arrive; the message may or may not be stored.
	ErrUnknown = errors.New("outcome unknown: the message may or may not be stored")
	// ErrDenied: this connection has no permission. Trying again is useless until that changes.
	ErrDenied = errors.New("permission denied by the NATS server")
	// ErrDisconnected: there is no connection now; reconnecting goes on by itself.
	ErrDisconnected = errors.New("not connected to NATS")
	// ErrNoStream: nothing stores this subject.
	ErrNoStream = errors.New("no stream takes this subject: run frostctl bus apply, or check the permissions of this connection")
	// ErrTooLarge: the message is above the stream's or the server's limit.
	ErrTooLarge = errors.New("message too large")
	// ErrTooMany: a read found more than it may hold in memory.
	ErrTooMany = errors.New("too many messages")
	// ErrClosed: the bus was closed.
	ErrClosed = errors.New("bus is closed")
)

// BusyError says that a quota or a stream is full for now.
type BusyError struct {
	Subject    string        // relative
	RetryAfter time.Duration // a hint
	Reason     string        // the server's words
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("busy: %s: %s; try again in %v", e.Subject, e.Reason, e.RetryAfter)
}

// LostError says that a follower's place in the stream is gone.
type LostError struct {
	Stream   Stream
	Reason   string
	StreamID string // identity of the stream as it is now
}

func (e *LostError) Error() string {
	return fmt.Sprintf("stream %s: place lost: %s", e.Stream, e.Reason)
}

// Codes of the JetStream API that jetstream does not name.
const (
	codeStoreFailed     jetstream.ErrorCode = 10077 // text says why
	codeInsufficient    jetstream.ErrorCode = 10023
	codeAccountExceeded jetstream.ErrorCode = 10002
	codeMemoryExceeded  jetstream.ErrorCode = 10028
	codeStoreExceeded   jetstream.ErrorCode = 10047
)

// The server's texts for 10077: it has no codes of their own for these.
const (
	textPerSubject = "maximum messages per subject exceeded"
	textMessages   = "maximum messages exceeded"
	textBytes      = "maximum bytes exceeded"
)

// busyRetry is the hint in a BusyError: jobs take seconds.
const busyRetry = time.Second

// errConflict: the subject does not end where the writer expected (10071).
var errConflict = errors.New("wrong last sequence")

// classify turns the outcome of one publish into the errors above. Whatever
// is not certainly refused by the server is ErrUnknown.
func classify(subject string, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return classifyAPI(subject, api)
	}
	switch {
	case errors.Is(err, ErrDenied), errors.Is(err, ErrClosed):
		return err
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%s: %w", subject, ErrNoStream)
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%s: %w: %v", subject, ErrTooLarge, err)
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return fmt.Errorf("%s: %w", subject, ErrDisconnected)
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return fmt.Errorf("%s: %w", subject, ErrClosed)
	case errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrHeadersNotSupported):
		return fmt.Errorf("%s: %w", subject, err)
	}
	return fmt.Errorf("%s: %w: %w", subject, ErrUnknown, err)
}

func classifyAPI(subject string, api *jetstream.APIError) error {
	text := strings.ToLower(api.Description)
	switch api.ErrorCode {
	case jetstream.JSErrCodeStreamWrongLastSequence:
		return errConflict
	case jetstream.JSErrCodeStreamWrongLastSequenceConstant: // a conflict with a write in flight, outcome open
		return fmt.Errorf("%s: %w: %w", subject, ErrUnknown, api)
	case jetstream.JSErrCodeStreamMessageExceedsMaximum:
		return fmt.Errorf("%s: %w: %w", subject, ErrTooLarge, api)
	case codeInsufficient, codeAccountExceeded, codeMemoryExceeded, codeStoreExceeded:
		return &BusyError{Subject: subject, RetryAfter: busyRetry, Reason: api.Description}
	case codeStoreFailed:
		if s, _ := StreamOf(subject); s == Results && strings.Contains(text, textPerSubject) {
			return fmt.Errorf("%s: %w", subject, ErrExists)
		}
		for _, full := range []string{textPerSubject, textMessages, textBytes} {
			if strings.Contains(text, full) {
				return &BusyError{Subject: subject, RetryAfter: busyRetry, Reason: api.Description}
			}
		}
	}
	return fmt.Errorf("%s: %w", subject, api)
}
