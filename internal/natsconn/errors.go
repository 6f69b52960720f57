package natsconn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors that callers decide on.
var (
	// ErrUnknown: the server's answer did not arrive; the message may or may not be stored.
	ErrUnknown = errors.New("outcome unknown: the message may or may not be stored")
	// ErrDenied: this connection has no permission. Trying again is useless until that changes.
	ErrDenied = errors.New("permission denied by the NATS server")
	// ErrDisconnected: there is no connection now, and nothing was sent. Reconnecting is automatic.
	ErrDisconnected = errors.New("not connected to NATS")
	// ErrNoStream: nothing stores this subject.
	ErrNoStream = errors.New("nothing stores this subject: the fleet's streams are missing " +
		"(administrator: frostctl bus apply), or this NATS account may not publish here")
	// ErrTooLarge: the message is above the stream's or the server's limit.
	ErrTooLarge = errors.New("message too large")
	// ErrClosed: the connection was closed.
	ErrClosed = errors.New("connection to NATS is closed")
)

// BusyError says that a stream, a quota or the server's storage is full for now.
type BusyError struct{ Reason string } // the server's words

func (e *BusyError) Error() string { return "busy: " + e.Reason }

// Codes of the JetStream API that jetstream does not name.
const (
	codeInsufficient    jetstream.ErrorCode = 10023
	codeAccountExceeded jetstream.ErrorCode = 10002
	codeMemoryExceeded  jetstream.ErrorCode = 10028
	codeStoreExceeded   jetstream.ErrorCode = 10047
	codeStoreFailed     jetstream.ErrorCode = 10077 // text says why
	codeCreateFailed    jetstream.ErrorCode = 10049 // text says why
)

// textNoFiles is the server's text for 10049 where its log has the reason.
const textNoFiles = "error creating store"

// textPerSubject and its like are the server's texts for 10077, which has no
// codes of its own for them.
const textPerSubject = "maximum messages per subject exceeded"

var textsFull = []string{textPerSubject, "maximum messages exceeded", "maximum bytes exceeded"}

// NoStorage says that the server, or this account, has no room for a stream.
func NoStorage(api *jetstream.APIError) bool {
	switch api.ErrorCode {
	case codeInsufficient, codeAccountExceeded, codeMemoryExceeded, codeStoreExceeded:
		return true
	}
	return false
}

// NoFiles says that the server could not make the files of a stream.
func NoFiles(api *jetstream.APIError) bool {
	return api.ErrorCode == codeCreateFailed && strings.Contains(api.Description, textNoFiles)
}

// SubjectFull says that a subject already holds as many messages as it may.
func SubjectFull(api *jetstream.APIError) bool { return storeFailed(api, textPerSubject) }

func storeFailed(api *jetstream.APIError, text string) bool {
	return api.ErrorCode == codeStoreFailed && strings.Contains(strings.ToLower(api.Description), text)
}

// Classify turns the outcome of a request into the errors above. What the
// server did not certainly refuse is ErrUnknown.
func Classify(err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return classifyAPI(api)
	}
	switch {
	case isOneOf(err, ErrUnknown, ErrDenied, ErrDisconnected, ErrClosed):
		return err
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		return ErrNoStream
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %v: set max_payload = 4MB in the server's configuration", ErrTooLarge, err)
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return ErrDisconnected
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return ErrClosed
	case errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrHeadersNotSupported):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

func classifyAPI(api *jetstream.APIError) error {
	switch {
	case api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant: // a conflict with a write in flight
		return fmt.Errorf("%w: %w", ErrUnknown, api)
	case api.ErrorCode == jetstream.JSErrCodeStreamMessageExceedsMaximum:
		return fmt.Errorf("%w: %w", ErrTooLarge, api)
	case NoStorage(api), slices.ContainsFunc(textsFull, func(t string) bool { return storeFailed(api, t) }):
		return &BusyError{Reason: api.Description}
	}
	return api
}

func isOneOf(err error, kinds ...error) bool {
	return slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) })
}
