package keyprovider

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Policy says how patient a node is with its device. A zero field means its
// default.
type Policy struct {
	Name       string        // of the provider, for errors: aws-kms, pkcs11, software
	Timeout    time.Duration // of one attempt; default 5 s
	Attempts   int           // of one call; default 4
	Trip       int           // failed calls in a row that open the circuit; default 5
	Cooldown   time.Duration // how long it stays open before the device is tried again; default 5 s, doubling up to 30 s
	CacheTTL   time.Duration // of derived values in memory, wiped afterwards; default 1 min
	ProbeEvery time.Duration // without a successful call, then the device is looked at; default 30 s
}

func (p Policy) withDefaults() Policy {
	return Policy{
		Name:       cmp.Or(p.Name, "key provider"),
		Timeout:    cmp.Or(p.Timeout, 5*time.Second),
		Attempts:   cmp.Or(p.Attempts, 4),
		Trip:       cmp.Or(p.Trip, 5),
		Cooldown:   cmp.Or(p.Cooldown, 5*time.Second),
		CacheTTL:   cmp.Or(p.CacheTTL, time.Minute),
		ProbeEvery: cmp.Or(p.ProbeEvery, 30*time.Second),
	}
}

// Hardened is a Provider that stands between a node and its device. A call
// goes through, from the outside in:
//
//	cache    derived values are kept for a minute           cache.go
//	breaker  a device that fails is left alone for a while  breaker.go
//	retry    what may pass by itself is tried again         retry.go
//	timeout  what hangs is given up                         timeout.go
//
// and what the breaker sees is the device's health: Ready, Watch and OnChange,
// in health.go. Errors are the device's own, or an *Error of reason
// CircuitOpen, Timeout or Canceled.
type Hardened struct {
	*guarded // Identity and Sign, and Derive as it is below the cache
	cache    *cache
}

var _ Provider = (*Hardened)(nil)

// Harden puts every layer around a back end, which it closes in the end. The
// observer hears of cache and health; calls it hears of from the back end
// itself. It may be nil.
func Harden(p Provider, policy Policy, o Observer) *Hardened {
	if o == nil {
		o = NopObserver{}
	}
	policy = policy.withDefaults()
	health := newHealth(policy.Name, o)
	return &Hardened{
		guarded: &guarded{
			device: p, policy: policy, health: health,
			slots:   make(chan struct{}, maxCalls),
			breaker: newBreaker(policy, health.saw),
			closed:  make(chan struct{}),
		},
		cache: newCache(policy.CacheTTL, o.ProviderCached),
	}
}

// Derive implements Provider.
func (h *Hardened) Derive(ctx context.Context, label []byte) ([32]byte, error) {
	return h.cache.get(ctx, label, h.guarded.Derive)
}

// Close implements Provider. It wipes the cache and waits for the calls under
// way, but not for one that hangs: then it fails after closeTime.
func (h *Hardened) Close() error {
	h.cache.close()
	return h.guarded.Close()
}

// closeTime bounds the wait for calls under way at the end.
const closeTime = 5 * time.Second

// guarded is the stack below the cache.
type guarded struct {
	device   Provider
	policy   Policy
	slots    chan struct{} // holds one entry for each call that the device has
	breaker  *breaker
	health   *health
	identity atomic.Pointer[ecdsa.PublicKey] // the first that the device gave
	closing  sync.Once
	closed   chan struct{}
}

// through is the stack, for one call. The one call that an open circuit lets
// through has to wait for a trial of both keys first.
func through[T any](ctx context.Context, g *guarded, call func(context.Context) (T, error)) (out T, err error) {
	if err := g.ended(ctx); err != nil {
		return out, err
	}
	done, half, err := g.breaker.enter()
	if err != nil {
		return out, err
	}
	if half {
		err = g.trial(ctx)
	}
	if err == nil {
		out, err = retried(ctx, g, call)
	}
	done(ctx, err)
	return out, err
}

// Identity implements Provider.
func (g *guarded) Identity(ctx context.Context) (*ecdsa.PublicKey, error) {
	if key := g.identity.Load(); key != nil { // no device is asked: that would tell nothing of its health
		if err := g.ended(ctx); err != nil {
			return nil, err
		}
		public := *key
		return &public, nil
	}
	key, err := through(ctx, g, g.device.Identity)
	if err == nil {
		g.identity.CompareAndSwap(nil, key)
	}
	return key, err
}

// Sign implements Provider.
func (g *guarded) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	return through(ctx, g, func(ctx context.Context) ([]byte, error) { return g.device.Sign(ctx, digest) })
}

// Derive implements Provider.
func (g *guarded) Derive(ctx context.Context, label []byte) ([32]byte, error) {
	if err := CheckLabel(label); err != nil {
		return [32]byte{}, err
	}
	return through(ctx, g, func(ctx context.Context) ([32]byte, error) { return g.device.Derive(ctx, label) })
}

// Close implements Provider.
func (g *guarded) Close() error {
	g.closing.Do(func() { close(g.closed) })
	done := make(chan error, 1)
	go func() { done <- g.device.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(closeTime):
		return &Error{Reason: Timeout, Provider: g.policy.Name, Action: "close",
			Remedy: fmt.Sprintf("a call under way has not ended within %s; it ends with the process", closeTime)}
	}
}

// ended gives the reason not to call the device any more.
func (g *guarded) ended(ctx context.Context) error {
	select {
	case <-g.closed:
		return ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return &Error{Reason: ReasonOf(err), Provider: g.policy.Name, Err: err}
	}
	return nil
}
