package keyprovider

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// maxCooldown is how long an open circuit goes without a try at most.
const maxCooldown = 30 * time.Second

// breaker is the circuit to the device. Closed, calls pass. It opens after
// Policy.Trip failed calls in a row, or one that was refused; open, calls fail
// at once. After the cool-down it is half open: one call passes, and either
// closes it or opens it again for twice as long.
//
// gobreaker counts and decides. Its cool-down has one length, which ours has
// not, so it gets the shortest and next stands before it.
type breaker struct {
	policy Policy
	saw    func(cause error, next time.Time) // hears each result that counts, in order

	mu       sync.Mutex // held whenever gobreaker runs, so also in changed
	circuit  *gobreaker.TwoStepCircuitBreaker[struct{}]
	era      int           // grows with each change of state; results of an earlier one don't count
	cause    error         // of the failures since the device worked: the latest, or that it refused
	cooldown time.Duration // of the circuit while it is not closed
	next     time.Time     // when that is over; zero while the circuit is closed
}

func newBreaker(policy Policy, saw func(error, time.Time)) *breaker {
	b := &breaker{policy: policy, saw: saw}
	b.circuit = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout: 1,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return int(n.ConsecutiveFailures) >= policy.Trip || ReasonOf(b.cause).Refused()
		},
		IsExcluded:    spared,
		OnStateChange: b.changed,
	})
	return b
}

// enter lets a call pass or gives the error that it fails with. Who has passed
// calls done with the result. Half says that the circuit was open until now.
func (b *breaker) enter() (done func(context.Context, error), half bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().Before(b.next) {
		return nil, false, circuitOpen(b.policy.Name, b.cause, b.next)
	}
	report, err := b.circuit.Allow()
	if err != nil { // half open, and another call has passed
		return nil, false, circuitOpen(b.policy.Name, b.cause, b.next)
	}
	era := b.era
	done = func(ctx context.Context, err error) {
		if errors.Is(ctx.Err(), context.Canceled) {
			err = ctx.Err() // whatever the device made of it
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if era != b.era || spared(err) {
			report(err)
			if era != b.era && !b.next.IsZero() && ReasonOf(err).Refused() { // more than why it is open
				b.cause = err
				b.saw(b.cause, b.next)
			}
			return
		}
		// Who was refused stays so until the device works: that it can't be
		// reached either is no news.
		if err == nil || !ReasonOf(b.cause).Refused() || ReasonOf(err).Refused() {
			b.cause = err
		}
		report(err)
		b.saw(b.cause, b.next)
	}
	return done, !b.next.IsZero(), nil
}

func (b *breaker) changed(_ string, from, to gobreaker.State) {
	b.era++
	switch {
	case to == gobreaker.StateClosed:
		b.next = time.Time{}
	case to == gobreaker.StateOpen:
		if from == gobreaker.StateClosed {
			b.cooldown = b.policy.Cooldown
		} else {
			b.cooldown = max(b.cooldown, min(2*b.cooldown, maxCooldown))
		}
		b.next = time.Now().Add(b.cooldown)
	}
}

// spared tells results that say nothing about the device's health.
func spared(err error) bool {
	switch ReasonOf(err) {
	case Canceled, Closed, CannotDerive:
		return true
	}
	return errors.Is(err, ErrClosed)
}

// circuitOpen is the error of a call that the device did not get.
func circuitOpen(provider string, cause error, next time.Time) error {
	wait := max(time.Until(next), 0).Round(100 * time.Millisecond)
	return &Error{Reason: CircuitOpen, Provider: provider, Remedy: "not tried; the next try is in " + wait.String(), Err: cause}
}

// CauseOf is ReasonOf, but where a circuit is open it gives the reason of the
// failure behind it.
func CauseOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) && e.Reason == CircuitOpen {
		return ReasonOf(e.Err)
	}
	return ReasonOf(err)
}
