package keyprovider

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var labelA = []byte("a")

// derives wants the right bytes for a label.
func derives(t *testing.T, p Provider, label string) {
	t.Helper()
	if value, err := p.Derive(t.Context(), []byte(label)); err != nil || value != sha256.Sum256([]byte(label)) {
		t.Errorf("Derive(%q) gives %x, %v", label, value, err)
	}
}

// TestDeriveIsCached for its time, label by label, and the observer hears it.
func TestDeriveIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, o := newFaulty(t), &heard{}
		h := Supervise(p, Policy{CacheTTL: time.Minute}, o)
		for i, step := range []struct {
			label string
			calls int
			wait  time.Duration
		}{
			{"a", 1, 0}, {"a", 1, 0}, {"b", 2, time.Minute - 1}, {"a", 2, 1}, {"a", 3, 0}, {"b", 4, 0}, {"a", 4, 0},
		} {
			derives(t, h, step.label)
			if n := p.count(OpDerive); n != step.calls {
				t.Errorf("step %d: %d calls, want %d", i, n, step.calls)
			}
			time.Sleep(step.wait)
			synctest.Wait()
		}
		if want := []bool{false, true, false, true, false, false, true}; !slices.Equal(o.hits, want) {
			t.Errorf("observer heard hits %v, want %v", o.hits, want)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.Derive(over, labelA); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled call of a cached label gives %v", err)
		}
		_ = h.Close()
	})
}

// TestCacheIsWiped at expiry and at Close, whoever still points there; and
// what was handed out is the caller's own.
func TestCacheIsWiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := Supervise(newFaulty(t), Policy{}, nil)
		for _, end := range []func(){func() { time.Sleep(time.Minute) }, func() { _ = h.Close() }} {
			value, err := h.Derive(t.Context(), labelA)
			if err != nil {
				t.Fatal(err)
			}
			inside := h.cache.entries["a"]
			clear(value[:])
			derives(t, h, "a")
			if inside.value == [32]byte{} {
				t.Error("the caller's copy is the cache's")
			}
			end()
			synctest.Wait()
			if inside.value != [32]byte{} || len(h.cache.entries) != 0 {
				t.Errorf("the cache still holds %x and %d labels", inside.value, len(h.cache.entries))
			}
		}
		if _, err := h.Derive(t.Context(), labelA); !errors.Is(err, ErrClosed) {
			t.Errorf("Derive after Close gives %v", err)
		}
		if _, err := h.cache.get(t.Context(), labelA, newFaulty(t).Derive); !errors.Is(err, ErrClosed) {
			t.Errorf("a closed cache over an open device gives %v", err)
		}
	})
}

// TestErrorsAreNotCached: everybody who waited hears of it, nobody later does.
func TestErrorsAreNotCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, Policy{}, nil)
		p.fail(OpDerive, func(context.Context) error { time.Sleep(time.Second); return errBroken })
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, err := h.Derive(t.Context(), labelA); !errors.Is(err, errBroken) {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if n := p.count(OpDerive); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
		p.fail(OpDerive, nil)
		derives(t, h, "a")
		_ = h.Close()
	})
}

// TestOneDeriveAtATime: many who ask for one label cost one call; the one who
// makes it may give up without harm to the others, and so may a waiter.
func TestOneDeriveAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, o := newFaulty(t), &heard{}
		h := Supervise(p, Policy{}, o)
		p.fail(OpDerive, sleeps(2*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if i%10 == 0 { // the first is one of them
					if _, err := h.Derive(ctx, labelA); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("who gave up got %v", err)
					}
					return
				}
				derives(t, h, "a")
			})
			synctest.Wait()
		}
		start := time.Now()
		all.Wait()
		wantSince(t, start, 3*time.Second, 3*time.Second)
		if n := p.count(OpDerive); n != 2 { // that of the first, and that of one who did not give up
			t.Errorf("%d calls, want 2", n)
		}
		if hits := len(slices.DeleteFunc(o.hits, func(hit bool) bool { return !hit })); hits != 89 {
			t.Errorf("%d hits, want 89", hits)
		}
		_ = h.Close()
	})
}

// TestCacheIsBounded: beyond the bound values are right, and not kept.
func TestCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, Policy{}, nil)
		for range 2 {
			for i := range maxCached + 5 {
				derives(t, h, fmt.Sprint(i))
			}
		}
		if n := p.count(OpDerive); n != maxCached+10 || len(h.cache.entries) != maxCached {
			t.Errorf("%d calls and %d entries", n, len(h.cache.entries))
		}
		_ = h.Close()
	})
}

// TestCacheRaces: readers, expiry and Close at once, for the race detector.
func TestCacheRaces(t *testing.T) {
	h := Supervise(newFaulty(t), Policy{CacheTTL: time.Microsecond}, nil)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 200 {
				label := fmt.Sprint(i % 2)
				value, err := h.Derive(t.Context(), []byte(label))
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil || value != sha256.Sum256([]byte(label)) {
					t.Errorf("Derive(%s) gives %x, %v", label, value, err)
				}
			}
		})
	}
	time.Sleep(5 * time.Millisecond)
	_ = h.Close()
	all.Wait()
	if len(h.cache.entries) != 0 {
		t.Error("something is kept after Close")
	}
}
