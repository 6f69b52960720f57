package keyprovider

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
)

var errDevice = errors.New("device says no")

// signer is a device that a test can delay or fail. Its signature of a digest
// is that digest.
type signer struct {
	mu    sync.Mutex
	fault func(context.Context) error
	calls int
}

func (s *signer) SignOnce(ctx context.Context, digest [32]byte) ([]byte, error) {
	s.mu.Lock()
	fault := s.fault
	s.calls++
	s.mu.Unlock()
	if fault != nil {
		if err := fault(ctx); err != nil {
			return nil, err
		}
	}
	return digest[:], nil
}

func (s *signer) set(fault func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *signer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// proof says which leaf of how many a signature was shown for.
type proof struct {
	leaf, signature [32]byte
	leaves          int
}

func sum(leaves [][32]byte) (digest [32]byte) {
	for _, leaf := range leaves {
		for i, b := range leaf {
			digest[i] += b
		}
	}
	return digest
}

// newCoalescer is a coalescer over a faulty device.
func newCoalescer() (*Coalescer[proof], *signer) {
	s := new(signer)
	return &Coalescer[proof]{SignOnce: s.SignOnce, Digest: sum, Prove: func(leaves [][32]byte, signature []byte) []proof {
		proofs := make([]proof, len(leaves))
		for i, leaf := range leaves {
			proofs[i] = proof{leaf, [32]byte(signature), len(leaves)}
		}
		return proofs
	}}, s
}

// signLeaf has a leaf signed, and checks that the proof is the leaf's.
func signLeaf(ctx context.Context, c *Coalescer[proof], i int) (proof, error) {
	leaf := [32]byte{byte(i), byte(i >> 8), 1}
	p, err := c.Sign(ctx, leaf)
	if err == nil && p.leaf != leaf {
		err = fmt.Errorf("leaf %d got the proof of another", i)
	}
	return p, err
}

// TestCoalescedCalls: whoever comes while a call is under way shares the next
// one, and hears what was signed.
func TestCoalescedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCoalescer()
		var heard []int
		c.Signed = func(leaves int) { heard = append(heard, leaves) }
		s.set(func(context.Context) error { time.Sleep(time.Second); return nil })
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				p, err := signLeaf(t.Context(), c, i)
				want := proof{leaf: p.leaf, leaves: 39}
				for j := 1; j < 40; j++ {
					want.signature[0] += byte(j)
					want.signature[2]++
				}
				if i == 0 {
					want.leaves, want.signature = 1, [32]byte{0, 0, 1}
				}
				if err != nil || p != want {
					t.Errorf("leaf %d: %v, %v", i, p, err)
				}
			})
			synctest.Wait() // the first is on its way before the second comes
		}
		all.Wait()
		if n := s.count(); n != 2 { // the first alone, then all that waited
			t.Errorf("40 leaves at once took %d calls, want 2", n)
		}
		if _, err := signLeaf(t.Context(), c, 7); err != nil {
			t.Error(err)
		}
		if fmt.Sprint(heard) != "[1 39 1]" {
			t.Errorf("calls served %v leaves", heard)
		}
	})
}

// TestLoneLeaf: who is alone has its call made where it asks for it, and leaves nothing behind.
func TestLoneLeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCoalescer()
		before := runtime.NumGoroutine()
		s.set(func(context.Context) error {
			if n := runtime.NumGoroutine(); n > before {
				return fmt.Errorf("%d goroutines more", n-before)
			}
			return nil
		})
		for i := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := signLeaf(ctx, c, i); err != nil {
				t.Error(err)
			}
			cancel()
		}
		if s.count() != 3 || c.busy || len(c.waiting) > 0 {
			t.Errorf("%d calls, %d wait", s.count(), len(c.waiting))
		}
	})
}

// TestPanicAlone: a call that panics where it was asked for leaves nobody waiting.
func TestPanicAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCoalescer()
		s.set(func(context.Context) error { time.Sleep(time.Second); panic("the device's") })
		var all sync.WaitGroup
		all.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_, _ = signLeaf(t.Context(), c, 0)
		})
		synctest.Wait()
		for i := range 2 { // one meanwhile, one later
			all.Go(func() {
				time.Sleep(time.Duration(2*i) * time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if _, err := signLeaf(ctx, c, 1+i); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		s.set(nil)
		all.Wait()
	})
}

// TestCoalescedBounds: more leaves than a tree holds take more calls.
func TestCoalescedBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCoalescer()
		s.set(func(context.Context) error { time.Sleep(time.Second); return nil })
		var all sync.WaitGroup
		for i := range MaxLeaves + 2 {
			all.Go(func() {
				if p, err := signLeaf(t.Context(), c, i); err != nil || p.leaves > MaxLeaves {
					t.Errorf("tree of %d, error %v", p.leaves, err)
				}
			})
			if i == 0 {
				synctest.Wait() // it goes alone
			}
		}
		all.Wait()
		if n := s.count(); n != 3 {
			t.Errorf("%d calls, want 3", n)
		}
	})
}

// TestCoalescedErrorIsRepeated: a call that failed is made again, with those
// that came meanwhile, until the device works.
func TestCoalescedErrorIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCoalescer()
		s.set(func(context.Context) error { time.Sleep(time.Second); return errDevice })
		start := time.Now()
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				if p, err := signLeaf(t.Context(), c, i); err != nil || p.leaves != 10 {
					t.Errorf("leaf %d: one of %d, %v", i, p.leaves, err)
				}
			})
		}
		time.Sleep(10 * time.Second)
		s.set(nil)
		all.Wait()
		if took := time.Since(start); took > 10*time.Second+maxPause+time.Second || s.count() > 9 {
			t.Errorf("%d calls in %s", s.count(), took)
		}
		if c.Took() != 0 {
			t.Errorf("the call that succeeded took %s", c.Took())
		}
	})
}

// TestWaiterEndsWhileTheDeviceFails: with its own error and the device's.
func TestWaiterEndsWhileTheDeviceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCoalescer()
		s.set(func(context.Context) error { return errDevice })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if _, err := signLeaf(ctx, c, i); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errDevice) {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if n := s.count(); n < 10 || n > 40 || time.Since(start) != time.Minute {
			t.Errorf("%d calls in %s of failures", n, time.Since(start))
		}
		synctest.Wait()
		if c.busy {
			t.Error("the coalescer works for nobody")
		}
	})
}

// TestOneWaiterLeaves: its end is nobody else's.
func TestOneWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCoalescer()
		s.set(func(ctx context.Context) error { return backoff.Sleep(ctx, time.Minute/3) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if i%2 == 0 { // also the one that leads
					if _, err := signLeaf(ctx, c, i); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v, want the waiter's own end", err)
					}
				} else if _, err := signLeaf(t.Context(), c, i); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if _, err := signLeaf(ctx, c, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who comes after its end got %v", err)
		}
	})
}

// TestCallEndsWithItsLastWaiter: a call that nobody waits for any more is
// canceled, and not before.
func TestCallEndsWithItsLastWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newCoalescer()
		ended := make(chan time.Time, 1)
		s.set(func(ctx context.Context) error { <-ctx.Done(); ended <- time.Now(); return ctx.Err() })
		start := time.Now()
		for i := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Second)
			defer cancel()
			go func() { _, _ = signLeaf(ctx, c, i) }()
		}
		first := (<-ended).Sub(start) // the one that led, or all three: whoever was first
		if first < time.Second || first > 3*time.Second {
			t.Errorf("ended after %s", first)
		}
		time.Sleep(3 * time.Second)
		s.set(nil)
		if _, err := signLeaf(t.Context(), c, 0); err != nil {
			t.Errorf("after the hanging call: %v", err)
		}
	})
}

// TestCallsAreReported: each call is reported with the contexts of those it serves, and
// how it ended.
func TestCallsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type name struct{}
		c, s := newCoalescer()
		var told []string
		c.Begin = func(served []context.Context) func(error) {
			names := ""
			for _, ctx := range served {
				names += ctx.Value(name{}).(string)
			}
			return func(err error) { told = append(told, fmt.Sprint(names, " ", err)) }
		}
		s.set(func(context.Context) error { time.Sleep(time.Second); return nil })
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				ctx := context.WithValue(t.Context(), name{}, string(rune('a'+i)))
				if _, err := signLeaf(ctx, c, i); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		s.set(func(context.Context) error { return errDevice })
		short, cancel := context.WithTimeout(context.WithValue(t.Context(), name{}, "z"), time.Millisecond)
		defer cancel()
		_, _ = signLeaf(short, c, 9)
		if got := fmt.Sprint(told); got != "[a <nil> bcd <nil> z "+errDevice.Error()+"]" {
			t.Errorf("told %s", got)
		}
	})
}
