package keyprovider

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Ready gives nil while the device works, and else why not and since when. The
// device fails from the first call that failed with all its attempts until the
// first that succeeds, or, once the circuit is open, until it has passed a
// trial. ReasonOf the error is the reason of the latest failure.
func (h *Hardened) Ready() error {
	f := h.health.failing.Load()
	if f == nil {
		return nil
	}
	return fmt.Errorf("the key provider fails since %s: %w", f.since.UTC().Format(time.RFC3339), f.cause)
}

// OnChange has f hear when the device begins to fail, why, when the reason
// becomes another one, and with nil when the device works again. Calls of f
// come one at a time and hold up the device's: f must not wait and must not
// call the provider, but it may ask Ready.
func (h *Hardened) OnChange(f func(error)) {
	h.health.mu.Lock()
	defer h.health.mu.Unlock()
	h.health.changed = f
}

// minWatch is the shortest time between two looks of Watch.
const minWatch = 50 * time.Millisecond

// Watch looks after the device until ctx ends or the provider is closed. It
// tries one that fails until it works again, without waiting for somebody's
// call, and asks one that nobody has used for Policy.ProbeEvery whether it still
// works, if the back end is a Prober.
func (h *Hardened) Watch(ctx context.Context) {
	looked := time.Now()
	for h.await(ctx, h.lookIn(looked)) {
		switch {
		case h.Ready() != nil:
			h.try(ctx)
		case h.idle(looked) >= h.policy.ProbeEvery:
			_, _ = through(ctx, h.guarded, h.probe) // the breaker hears the result
			looked = time.Now()
		}
	}
}

// await waits for d, or until there is news; false ends Watch.
func (g *guarded) await(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.health.wake:
	case <-ctx.Done():
	case <-g.closed:
	}
	return g.ended(ctx) == nil
}

// lookIn tells how long Watch waits.
func (g *guarded) lookIn(looked time.Time) time.Duration {
	switch f := g.health.failing.Load(); {
	case f == nil:
		return max(minWatch, g.policy.ProbeEvery-g.idle(looked))
	case f.next.IsZero():
		return g.policy.Cooldown
	default:
		return max(minWatch, time.Until(f.next))
	}
}

// idle is how long nobody has heard from the device.
func (g *guarded) idle(looked time.Time) time.Duration {
	return min(time.Since(looked), time.Since(*g.health.worked.Load()))
}

// try is a trial, if the breaker lets it pass.
func (g *guarded) try(ctx context.Context) {
	done, _, err := g.breaker.enter()
	if err != nil {
		return
	}
	done(ctx, g.trial(ctx))
}

// trialLabel is derived in trials and of no use elsewhere.
const trialLabel = "frostfleet/keyprovider/trial/v1"

// trial uses both keys for real: a device that signs again, and whose
// derivation key is still disabled, does not work; nor does one that signs
// with another key than before. It probes first, or a device that signs and
// whose probe fails would be up and down for ever. Each step has the time of a
// call.
func (g *guarded) trial(ctx context.Context) error {
	for _, step := range []func(context.Context) (struct{}, error){g.probe, g.trialSign, g.trialDerive} {
		if _, err := bounded(ctx, g, step); err != nil && ReasonOf(err) != CannotDerive { // it never could
			return err
		}
	}
	return nil
}

// probe asks the back end how it is, if it can tell.
func (g *guarded) probe(ctx context.Context) (none struct{}, err error) {
	if p, ok := g.device.(Prober); ok {
		err = p.Probe(ctx)
	}
	return none, err
}

func (g *guarded) trialSign(ctx context.Context) (none struct{}, err error) {
	key := g.identity.Load()
	if key == nil { // nobody has asked for it yet
		if key, err = identity(ctx, g.device); err != nil {
			return none, err
		}
	}
	if err := signsFor(ctx, g.device, key); ReasonOf(err) == Other {
		return none, &Error{Reason: BadAnswer, Provider: g.policy.Name, Action: "sign", Err: err}
	} else if err != nil {
		return none, err
	}
	return none, nil
}

func (g *guarded) trialDerive(ctx context.Context) (none struct{}, err error) {
	value, err := g.device.Derive(ctx, []byte(trialLabel))
	clear(value[:])
	return none, err
}

// health is what the breaker has seen of the device.
type health struct {
	provider string
	observer Observer
	failing  atomic.Pointer[failure]   // nil while the device works
	worked   atomic.Pointer[time.Time] // the latest success
	wake     chan struct{}             // tells Watch of a change

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

// saw takes a result in. The breaker calls it, one at a time.
func (h *health) saw(err error, next time.Time) {
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
