package keyprovider

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// maxCooldown is how long an open circuit goes without a try at most.
const maxCooldown = 30 * time.Second

// breaker is the circuit to the device. Closed, attempts pass. It opens after
// several failures in a row, or one refusal; open, attempts fail at once. After
// the cool-down it is half open: one attempt passes, and either closes it or
// opens it again for twice as long.
type breaker struct {
	policy   Policy
	observer Observer
	failing  atomic.Pointer[failure]   // nil while the device works
	worked   atomic.Pointer[time.Time] // the latest success
	wake     chan struct{}             // wakes Watch after a change

	mu       sync.Mutex
	changed  func(error)   // OnChange
	failures int           // in a row
	cause    error         // of them: the latest, or that the device refused
	epoch    int           // counts changes of the circuit; results from before the last one don't count
	trying   bool          // half open, and an attempt has passed
	cooldown time.Duration // of the circuit while it is not closed
	next     time.Time     // when that is over; zero while the circuit is closed
}

// A failure is one or many in a row.
type failure struct {
	cause error     // the latest
	since time.Time // the first
	next  time.Time // when an open circuit lets a call pass; zero while it is closed
}

func newBreaker(policy Policy, o Observer) *breaker {
	b := &breaker{policy: policy, observer: o, wake: make(chan struct{}, 1), changed: func(error) {}}
	now := time.Now()
	b.worked.Store(&now)
	return b
}

// enter lets an attempt pass, or returns the error that it fails with. A caller
// that passed calls done with the result. half says that the circuit was open
// until now.
func (b *breaker) enter() (done func(context.Context, error), half bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if half = !b.next.IsZero(); half && (b.trying || time.Now().Before(b.next)) {
		return nil, false, circuitOpen(b.policy.Name, b.cause, b.next)
	}
	if half {
		b.trying = true
		b.epoch++
	}
	epoch := b.epoch
	return func(ctx context.Context, err error) {
		if errors.Is(ctx.Err(), context.Canceled) {
			err = ctx.Err() // whatever the device made of it
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if half {
			b.trying = false
		}
		switch {
		case saysNothing(err):
		case epoch == b.epoch:
			b.result(err, half)
		case !b.next.IsZero() && ReasonOf(err).Refused(): // from before, and more than why it is open
			b.cause = err
			b.report(b.cause)
		}
	}, half, nil
}

// result counts the outcome of an attempt.
func (b *breaker) result(err error, half bool) {
	if err == nil {
		if b.cause = nil; half {
			b.epoch++
		}
		b.failures, b.cooldown, b.next = 0, 0, time.Time{}
		b.report(nil)
		return
	}
	b.failures++
	if !ReasonOf(err).Temporary() { // no further attempt is made
		b.failures = max(b.failures, b.policy.Attempts)
	}
	// A device that refused did so until it works: that it can't be reached
	// either is no news.
	if !ReasonOf(b.cause).Refused() || ReasonOf(err).Refused() {
		b.cause = err
	}
	if half || ReasonOf(b.cause).Refused() || b.failures >= b.policy.Attempts+b.policy.Trip-1 {
		b.epoch++
		b.cooldown = max(b.policy.Cooldown, b.cooldown, min(2*b.cooldown, maxCooldown))
		b.next = time.Now().Add(b.cooldown)
	}
	if half || ReasonOf(b.cause).Refused() || b.failures >= b.policy.Attempts {
		b.report(b.cause)
	}
}

// saysNothing reports results that say nothing about the device's health.
func saysNothing(err error) bool {
	switch ReasonOf(err) {
	case Canceled, Closed, CannotDerive:
		return true
	}
	return errors.Is(err, ErrClosed)
}

// circuitOpen is the error of a call that the device did not get.
func circuitOpen(provider string, cause error, next time.Time) error {
	wait := max(time.Until(next), 0).Round(100 * time.Millisecond)
	return &Error{Reason: CircuitOpen, Provider: provider, Remedy: "not tried; the next try is in " + wait.String(),
		Err: cause}
}

// CauseOf is ReasonOf, but where a circuit is open it returns the reason of the
// failure behind it.
func CauseOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) && e.Reason == CircuitOpen {
		return ReasonOf(e.Err)
	}
	return ReasonOf(err)
}
