package keyprovider

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Ready returns nil while the device works, and else why not and since when. The
// device fails from Policy.Attempts failures in a row, or one that does not
// pass, until the first success, or, once the circuit is open, until it has
// passed a trial. ReasonOf the error is the reason of the latest failure.
func (s *Supervised) Ready() error {
	f := s.health.failing.Load()
	if f == nil {
		return nil
	}
	return fmt.Errorf("the key provider fails since %s: %w", f.since.UTC().Format(time.RFC3339), f.cause)
}

// OnChange sets a function that is called when the device begins to fail, with
// the reason, when the reason becomes another one, and with nil when the device
// works again. Its calls come one at a time and hold up the device's: it must
// neither wait nor call the provider, but it may call Ready.
func (s *Supervised) OnChange(f func(error)) {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	s.health.changed = f
}

// minWatch is the shortest time between two looks of Watch.
const minWatch = 50 * time.Millisecond

// Watch looks after the device until ctx ends or the provider is closed. It
// tries one that fails until it works again, without waiting for somebody's
// call, and probes one that nobody has used for Policy.ProbeEvery, if the back
// end is a Prober.
func (s *Supervised) Watch(ctx context.Context) {
	looked := time.Now()
	for s.await(ctx, s.lookIn(looked)) {
		switch {
		case s.Ready() != nil:
			s.try(ctx)
		case s.idle(looked) >= s.policy.ProbeEvery:
			_, _ = retried(ctx, s.supervisor, s.probe) // the breaker gets the result
			looked = time.Now()
		}
	}
}

// await waits for d, or until there is news; false ends Watch.
func (s *supervisor) await(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.health.wake:
	case <-ctx.Done():
	case <-s.closed.Done():
	}
	return s.ended(ctx) == nil
}

// lookIn is how long Watch waits.
func (s *supervisor) lookIn(looked time.Time) time.Duration {
	switch f := s.health.failing.Load(); {
	case f == nil:
		return max(minWatch, s.policy.ProbeEvery-s.idle(looked))
	case f.next.IsZero():
		return s.policy.Cooldown
	default:
		return max(minWatch, time.Until(f.next))
	}
}

// idle is how long there has been no sign of the device.
func (s *supervisor) idle(looked time.Time) time.Duration {
	return min(time.Since(looked), time.Since(*s.health.worked.Load()))
}

// try is a trial, if the breaker lets it pass.
func (s *supervisor) try(ctx context.Context) {
	done, _, err := s.breaker.enter()
	if err != nil {
		return
	}
	done(ctx, s.trial(ctx))
}

// trialLabel is derived in trials and of no use elsewhere.
const trialLabel = "frostfleet/keyprovider/trial/v1"

// trial uses both keys for real: a device that signs again, and whose
// derivation key is still disabled, does not work; nor does one that signs
// with another key than before. It probes first, or a device that signs and
// whose probe fails would be up and down for ever. Each step has the time of an
// attempt.
func (s *supervisor) trial(ctx context.Context) error {
	for _, step := range []func(context.Context) (struct{}, error){s.probe, s.trialSign, s.trialDerive} {
		if _, err := attempt(ctx, s.policy, step); err != nil && ReasonOf(err) != CannotDerive { // it never could
			return err
		}
	}
	return nil
}

// probe asks the back end how it is, if it is a Prober.
func (s *supervisor) probe(ctx context.Context) (none struct{}, err error) {
	if p, ok := s.device.(Prober); ok {
		err = p.Probe(ctx)
	}
	return none, err
}

func (s *supervisor) trialSign(ctx context.Context) (none struct{}, err error) {
	key := s.identity.Load()
	if key == nil { // nobody has asked for it yet
		if key, err = identity(ctx, s.device); err != nil {
			return none, err
		}
	}
	if err := signsFor(ctx, s.device, key); ReasonOf(err) == Other {
		return none, &Error{Reason: BadAnswer, Provider: s.policy.Name, Action: "sign", Err: err}
	} else if err != nil {
		return none, err
	}
	return none, nil
}

func (s *supervisor) trialDerive(ctx context.Context) (none struct{}, err error) {
	value, err := s.device.Derive(ctx, []byte(trialLabel))
	clear(value[:])
	return none, err
}

// health is what the breaker has seen of the device.
type health struct {
	provider string
	observer Observer
	failing  atomic.Pointer[failure]   // nil while the device works
	worked   atomic.Pointer[time.Time] // the latest success
	wake     chan struct{}             // wakes Watch after a change

	mu      sync.Mutex
	changed func(error)
}

// A failure is one or many in a row.
type failure struct {
	cause error     // the latest
	since time.Time // the first
	next  time.Time // when an open circuit lets a call pass; zero while it is closed
}

func newHealth(provider string, o Observer) *health {
	h := &health{provider: provider, observer: o, wake: make(chan struct{}, 1), changed: func(error) {}}
	now := time.Now()
	h.worked.Store(&now)
	return h
}

// update takes a result in. The breaker calls it, one at a time.
func (h *health) update(err error, next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	was := h.failing.Load()
	if err == nil {
		h.worked.Store(&now)
		h.failing.Store(nil)
		if was != nil {
			h.observer.ProviderState(nil)
			h.changed(nil)
		}
		return
	}
	is := &failure{cause: err, since: now, next: next}
	if was != nil {
		is.since = was.since
	}
	h.failing.Store(is)
	other := was == nil || ReasonOf(was.cause) != ReasonOf(err)
	opened := !next.IsZero()
	if opened && (other || was.next.IsZero()) {
		h.observer.ProviderState(circuitOpen(h.provider, err, next))
	} else if other {
		h.observer.ProviderState(err)
	}
	if other {
		h.changed(err)
	}
	if was == nil || opened && was.next.IsZero() {
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}
