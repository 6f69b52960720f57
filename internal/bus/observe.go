package bus

import (
	"context"
	"errors"
	"slices"
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

// What becomes of an attempt to publish, beside the names in outcomes.
const (
	OutcomeOK    = "ok"
	outcomeBusy  = "busy" // BusyError: the stream or a quota is full
	outcomeOther = "other"
)

// outcomes is in order: a caller that gives up leaves the outcome unknown too,
// and that is its own doing; running out of time is so only if nothing was sent.
var outcomes = []struct {
	err  error
	name string
}{
	{context.Canceled, "canceled"}, // the caller gave up
	{ErrUnknown, "unknown"},
	{context.DeadlineExceeded, "canceled"},
	{ErrConflict, "conflict"}, // the slot does not end where the writer expected
	{ErrExists, "exists"},
	{ErrDenied, "denied"},
	{ErrDisconnected, "disconnected"}, // nothing was sent
	{ErrNoStream, "no_stream"},
	{ErrTooLarge, "too_large"},
	{ErrClosed, "closed"},
}

// Outcomes are all of them.
var Outcomes = func() []string {
	all := []string{OutcomeOK, outcomeBusy, outcomeOther}
	for _, o := range outcomes {
		all = append(all, o.name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}()

// outcome names what an attempt returned.
func outcome(err error) string {
	if err == nil {
		return OutcomeOK
	}
	if _, busy := errors.AsType[*BusyError](err); busy {
		return outcomeBusy
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.name
		}
	}
	return outcomeOther
}
