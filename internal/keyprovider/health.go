package keyprovider

import (
	"context"
	"fmt"
	"time"
)

// Ready returns nil while the device works, and else why not and since when. The
// device fails from Policy.Attempts failures in a row, or one that does not
// pass, until the first success, or, once the circuit is open, until it has
// passed a trial. ReasonOf the error is the reason of the latest failure.
func (s *Supervised) Ready() error {
	f := s.breaker.failing.Load()
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
	s.breaker.mu.Lock()
	defer s.breaker.mu.Unlock()
	s.breaker.changed = f
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
			if done, _, err := s.breaker.enter(); err == nil {
				done(ctx, s.trial(ctx))
			}
		case s.idle(looked) >= s.policy.ProbeEvery:
			_, _ = retried(ctx, s, s.probe) // the breaker gets the result
			looked = time.Now()
		}
	}
}

// await waits for d, or until there is news; false ends Watch.
func (s *Supervised) await(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.breaker.wake:
	case <-ctx.Done():
	case <-s.closed.Done():
	}
	return s.ended(ctx) == nil
}

// lookIn is how long Watch waits.
func (s *Supervised) lookIn(looked time.Time) time.Duration {
	switch f := s.breaker.failing.Load(); {
	case f == nil:
		return max(minWatch, s.policy.ProbeEvery-s.idle(looked))
	case f.next.IsZero():
		return s.policy.Cooldown
	default:
		return max(minWatch, time.Until(f.next))
	}
}

// idle is how long there has been no sign of the device.
func (s *Supervised) idle(looked time.Time) time.Duration {
	return min(time.Since(looked), time.Since(*s.breaker.worked.Load()))
}

// trialLabel is derived in trials and of no use elsewhere.
const trialLabel = "frostfleet/keyprovider/trial/v1"

// trial uses both keys for real: a device that signs again, and whose
// derivation key is still disabled, does not work; nor does one that signs
// with another key than before. It probes first, or a device that signs and
// whose probe fails would be up and down for ever. Each step has the time of an
// attempt.
func (s *Supervised) trial(ctx context.Context) error {
	for _, step := range []func(context.Context) (struct{}, error){s.probe, s.trialSign, s.trialDerive} {
		if _, err := attempt(ctx, s.policy, step); err != nil && ReasonOf(err) != CannotDerive { // it never could
			return err
		}
	}
	return nil
}

// probe asks the back end how it is, if it is a Prober.
func (s *Supervised) probe(ctx context.Context) (none struct{}, err error) {
	if p, ok := s.device.(Prober); ok {
		err = p.Probe(ctx)
	}
	return none, err
}

func (s *Supervised) trialSign(ctx context.Context) (none struct{}, err error) {
	key := s.identity.Load()
	if key == nil { // nobody has asked for it yet
		if key, err = identity(ctx, s.device); err != nil {
			return none, err
		}
	}
	if err = signsFor(ctx, s.device, key); ReasonOf(err) == Other {
		err = &Error{Reason: BadAnswer, Provider: s.policy.Name, Action: "sign", Err: err}
	}
	return none, err
}

func (s *Supervised) trialDerive(ctx context.Context) (none struct{}, err error) {
	value, err := s.device.Derive(ctx, []byte(trialLabel))
	clear(value[:])
	return none, err
}

// report passes on a result that counts. The caller holds mu, so that results
// come one at a time, and in order.
func (b *breaker) report(err error) {
	now, was := time.Now(), b.failing.Load()
	if err == nil {
		b.worked.Store(&now)
		b.failing.Store(nil)
		if was != nil {
			b.observer.ProviderState(nil)
			b.changed(nil)
		}
		return
	}
	is := &failure{cause: err, since: now, next: b.next}
	if was != nil {
		is.since = was.since
	}
	b.failing.Store(is)
	other := was == nil || ReasonOf(was.cause) != ReasonOf(err)
	opened := !is.next.IsZero() && (was == nil || was.next.IsZero())
	if opened || other && !is.next.IsZero() {
		b.observer.ProviderState(circuitOpen(b.policy.Name, err, is.next))
	} else if other {
		b.observer.ProviderState(err)
	}
	if other {
		b.changed(err)
	}
	if was == nil || opened {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}
