package keyprovider

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
)

// Policy says how a node deals with failures of its device. A zero field means
// its default.
type Policy struct {
	Name       string        // of the provider, for errors: aws-kms, pkcs11, software
	Timeout    time.Duration // of one attempt; default 5 s
	Attempts   int           // of one call, and failed ones in a row from which on the device counts as failing; default 4
	Trip       int           // failed ones in a row that open the circuit, from then on; default 5
	Cooldown   time.Duration // how long the circuit stays open; default 5 s, doubling up to 30 s
	CacheTTL   time.Duration // of derived values in memory, wiped afterwards; default 1 min
	ProbeEvery time.Duration // without a successful call, then the device is probed; default 30 s
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

// Supervised is a Provider that stands between a node and its device. A call
// goes through, from the outside in:
//
//	cache    derived values are kept for a minute           cache.go
//	retry    what may pass is tried again, a few times
//	breaker  a device that fails is left alone for a while  breaker.go
//
// and each attempt has a context that ends in time, and can't panic. What the
// breaker sees is the device's health: Ready, Watch and OnChange, in health.go.
// Errors are the device's own, or an *Error of reason CircuitOpen.
//
// A Coalescer repeats signatures for as long as somebody waits. It uses
// SignOnce, so that no call is repeated in two layers.
type Supervised struct {
	device   Provider
	policy   Policy
	cache    *cache
	breaker  *breaker
	identity atomic.Pointer[ecdsa.PublicKey] // the first that the device gave
	closed   context.Context                 // ends with Close
	end      context.CancelFunc
}

var _ Provider = (*Supervised)(nil)

// Supervise puts every layer around a back end, which it closes in the end. The
// observer is told about cache and health; the back end itself reports calls.
// It may be nil.
func Supervise(p Provider, policy Policy, o Observer) *Supervised {
	if o == nil {
		o = NopObserver{}
	}
	policy = policy.withDefaults()
	ctx, end := context.WithCancel(context.Background())
	return &Supervised{
		device: p, policy: policy, cache: newCache(policy.CacheTTL, o.ProviderCached), breaker: newBreaker(policy, o),
		closed: ctx, end: end,
	}
}

// Close implements Provider. It wipes the cache.
func (s *Supervised) Close() error {
	s.cache.close()
	s.end()
	return s.device.Close()
}

// The pause between two attempts, doubling. AWS counts its quotas by the
// second, and the pauses of 4 attempts are 1.3 s.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// retried makes attempts until one succeeds or fails for a reason that does not
// pass.
func retried[T any](ctx context.Context, s *Supervised, call func(context.Context) (T, error)) (T, error) {
	pause := backoff.Backoff{Min: firstRetry, Max: lastRetry}
	for n := 1; ; n++ {
		out, err := supervised(ctx, s, call)
		if !ReasonOf(err).Temporary() || n >= s.policy.Attempts {
			return out, err
		}
		waiting, stop := context.WithCancel(ctx)
		unhook := context.AfterFunc(s.closed, stop)
		_ = pause.Wait(waiting)
		unhook()
		stop()
		if ended := s.ended(ctx); ended != nil {
			return out, fmt.Errorf("%w; attempt %d of %d, then: %w", err, n, s.policy.Attempts, ended)
		}
	}
}

// supervised is one attempt. The one attempt that an open circuit lets through
// has to wait for a trial of both keys first.
func supervised[T any](ctx context.Context, s *Supervised, call func(context.Context) (T, error)) (out T, err error) {
	if err := s.ended(ctx); err != nil {
		return out, err
	}
	done, half, err := s.breaker.enter()
	if err != nil {
		return out, err
	}
	if half {
		err = s.trial(ctx)
	}
	if err == nil {
		out, err = attempt(ctx, s.policy, call)
	}
	done(ctx, err)
	return out, err
}

// attempt calls the device. A back end returns once its context has ended
// (package conformance); a panic in there is an error here.
func attempt[T any](ctx context.Context, policy Policy, call func(context.Context) (T, error)) (out T, err error) {
	ctx, cancel := context.WithTimeout(ctx, policy.Timeout)
	defer cancel()
	defer func() {
		if recover() != nil { // not printed: it may have anything in it
			err = &Error{Reason: Other, Provider: policy.Name, Remedy: "the back end panicked at " + origin() +
				"; please report this"}
		}
	}()
	return call(ctx)
}

// origin returns the function and line that panicked. A stack as Go prints it
// has arguments in it, and those may be secret.
func origin() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]) // not Callers, origin and the deferred function
	for {
		f, more := frames.Next()
		if !more || !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
	}
}

// Identity implements Provider.
func (s *Supervised) Identity(ctx context.Context) (*ecdsa.PublicKey, error) {
	if key := s.identity.Load(); key != nil { // the device is not asked: that would say nothing about its health
		if err := s.ended(ctx); err != nil {
			return nil, err
		}
		public := *key
		return &public, nil
	}
	key, err := retried(ctx, s, s.device.Identity)
	if err == nil {
		s.identity.CompareAndSwap(nil, key)
	}
	return key, err
}

// Sign implements Provider.
func (s *Supervised) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	return retried(ctx, s, func(ctx context.Context) ([]byte, error) { return s.device.Sign(ctx, digest) })
}

// SignOnce is Sign with a single attempt, for a caller that repeats it.
func (s *Supervised) SignOnce(ctx context.Context, digest [32]byte) ([]byte, error) {
	return supervised(ctx, s, func(ctx context.Context) ([]byte, error) { return s.device.Sign(ctx, digest) })
}

// Derive implements Provider.
func (s *Supervised) Derive(ctx context.Context, label []byte) ([32]byte, error) {
	return s.cache.get(ctx, label, s.deriveAfresh)
}

// deriveAfresh is Derive below the cache.
func (s *Supervised) deriveAfresh(ctx context.Context, label []byte) ([32]byte, error) {
	if err := CheckLabel(label); err != nil {
		return [32]byte{}, err
	}
	return retried(ctx, s, func(ctx context.Context) ([32]byte, error) { return s.device.Derive(ctx, label) })
}

// ended returns the reason not to call the device any more.
func (s *Supervised) ended(ctx context.Context) error {
	if s.closed.Err() != nil {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return &Error{Reason: ReasonOf(err), Provider: s.policy.Name, Err: err}
	}
	return nil
}
