package bus

import (
	"context"
	"errors"
	"time"
)

// Observer records what a connection does, for metrics. Calls are concurrent and
// must be short.
type Observer interface {
	// Published is called after each attempt of a publish, with one of Outcomes.
	// took is the round trip alone, without the wait for one of
	// Options.MaxInFlight to end.
	Published(stream Stream, outcome string, took time.Duration)

	// Delivered is called before the handler; again means that this is a
	// redelivery.
	Delivered(durable string, again bool)

	// Reconnected is called after each reconnection.
	Reconnected()
}

// nopObserver is the Observer of Options without one.
type nopObserver struct{}

func (nopObserver) Published(Stream, string, time.Duration) {}
func (nopObserver) Delivered(string, bool)                  {}
func (nopObserver) Reconnected()                            {}

// What becomes of an attempt to publish.
const (
	OutcomeOK           = "ok"
	OutcomeBusy         = "busy"         // BusyError: the stream or a quota is full
	OutcomeExists       = "exists"       // ErrExists
	OutcomeConflict     = "conflict"     // the slot does not end where the writer expected
	OutcomeUnknown      = "unknown"      // ErrUnknown
	OutcomeDenied       = "denied"       // ErrDenied
	OutcomeDisconnected = "disconnected" // ErrDisconnected: nothing was sent
	OutcomeNoStream     = "no_stream"    // ErrNoStream
	OutcomeTooLarge     = "too_large"    // ErrTooLarge
	OutcomeClosed       = "closed"       // ErrClosed
	OutcomeCanceled     = "canceled"     // the caller gave up
	OutcomeOther        = "other"
)

// Outcomes are all of them.
var Outcomes = []string{
	OutcomeOK, OutcomeBusy, OutcomeExists, OutcomeConflict, OutcomeUnknown, OutcomeDenied,
	OutcomeDisconnected, OutcomeNoStream, OutcomeTooLarge, OutcomeClosed, OutcomeCanceled, OutcomeOther,
}

// outcome names what an attempt returned.
func outcome(err error) string {
	if err == nil {
		return OutcomeOK
	}
	if _, busy := errors.AsType[*BusyError](err); busy {
		return OutcomeBusy
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.name
		}
	}
	return OutcomeOther
}

// outcomes is in order: a caller that gives up leaves the outcome unknown too,
// and that is its own doing; running out of time is so only if nothing was sent.
var outcomes = []struct {
	err  error
	name string
}{
	{context.Canceled, OutcomeCanceled},
	{ErrUnknown, OutcomeUnknown},
	{context.DeadlineExceeded, OutcomeCanceled},
	{errConflict, OutcomeConflict},
	{ErrExists, OutcomeExists},
	{ErrDenied, OutcomeDenied},
	{ErrDisconnected, OutcomeDisconnected},
	{ErrNoStream, OutcomeNoStream},
	{ErrTooLarge, OutcomeTooLarge},
	{ErrClosed, OutcomeClosed},
}
