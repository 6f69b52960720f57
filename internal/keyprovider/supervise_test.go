package keyprovider

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// randomised derives other bytes each time: the fault that a cache would hide.
type randomised struct{ *faulty }

func (randomised) Derive(context.Context, []byte) (out [32]byte, err error) {
	_, err = rand.Read(out[:])
	return out, err
}

// TestCheckSeesTheDevice and not the cache.
func TestCheckSeesTheDevice(t *testing.T) {
	h := Supervise(randomised{newFaulty(t)}, Policy{}, nil)
	if err := Check(t.Context(), h); err == nil || !strings.Contains(err.Error(), "one label gave two values") {
		t.Errorf("Check gives %v", err)
	}
	p := newFaulty(t)
	if err := Check(t.Context(), Supervise(p, Policy{}, nil)); err != nil || p.count(OpDerive) != 3 {
		t.Errorf("%d calls, %v", p.count(OpDerive), err)
	}
}

// TestCheckIsPatient: a node that starts while its device is throttled waits.
func TestCheckIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, calls := newFaulty(t), 0
		p.fail(OpSign, func(context.Context) error {
			if calls++; calls == 1 {
				return because(Throttled)
			}
			return nil
		})
		if err := Check(t.Context(), Supervise(p, Policy{}, nil)); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseDuringCalls waits for those that the device has, lets none begin,
// and may come again.
func TestCloseDuringCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, Policy{}, nil)
		p.fail(OpSign, sleeps(2*time.Second))
		p.fail(OpDerive, sleeps(2*time.Second))
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := sign(t, h); err != nil {
					t.Error(err)
				}
				_, err := h.Derive(t.Context(), labelA) // after Close
				wantReason(t, err, Closed)
			})
		}
		all.Go(func() {
			if _, err := h.Derive(t.Context(), []byte("under way")); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		inside := h.cache.entries["under way"]
		start := time.Now()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		wantSince(t, start, 2*time.Second, 2*time.Second)
		if wantReason(t, sign(t, h), Closed); !errors.Is(sign(t, h), ErrClosed) {
			t.Error("Sign works after Close")
		}
		_, err := h.Identity(t.Context())
		wantReason(t, err, Closed)
		all.Wait()
		if err := errors.Join(h.Close(), h.Ready()); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		if len(h.cache.entries) != 0 || inside.value != [32]byte{} {
			t.Error("a value came into the cache after Close")
		}
	})
}

// TestStorm: callers, cancellations, faults of every kind, Watch and Close at
// once, for the race detector; every call ends.
func TestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		const ms = time.Millisecond
		h, stop := watched(t, p, Policy{Timeout: 20 * ms, Cooldown: 50 * ms, CacheTTL: 10 * ms}, &heard{})
		h.OnChange(func(error) { _ = h.Ready() })
		release, finish := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(finish)
			for i := range 200 {
				r := Reasons[i%len(Reasons)]
				p.refuse(OpSign, r)
				p.refuse(OpDerive, Reasons[(i+3)%len(Reasons)])
				if i%5 == 0 {
					p.fail(OpSign, nil)
					p.fail(OpDerive, nil)
				}
				if i%31 == 0 {
					p.fail(OpSign, hangs(release))
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				for range 100 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*5*time.Millisecond)
					_, _ = h.Sign(ctx, [32]byte{byte(i)})
					_, _ = h.Derive(ctx, []byte{byte(i % 3)})
					_ = h.Ready()
					cancel()
					time.Sleep(time.Millisecond)
				}
			})
		}
		all.Wait()
		<-finish
		p.fail(OpSign, nil)
		p.fail(OpDerive, nil)
		time.Sleep(2 * maxCooldown)
		synctest.Wait()
		if err := errors.Join(h.Ready(), sign(t, h)); err != nil {
			t.Errorf("after the storm: %v", err)
		}
		close(release)
		stop()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
}
