package keyprovider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// once is a policy without attempts, so that calls are counted easily.
var once = Policy{Name: "faulty", Attempts: 1}

// TestCircuitTrips after five failures in a row, and then leaves the device
// alone until the cool-down is over.
func TestCircuitTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, once, nil)
		for _, failures := range []int{4, 5} { // the success between them starts the count anew
			p.refuse(OpSign, Unavailable)
			for range failures {
				wantReason(t, sign(t, h), Unavailable)
			}
			if failures == 4 {
				p.fail(OpSign, nil)
				wantReason(t, sign(t, h), OK)
			}
		}
		before := p.count(OpSign)
		time.Sleep(time.Second)
		err := sign(t, h)
		if wantReason(t, err, CircuitOpen); CauseOf(err) != Unavailable {
			t.Errorf("the cause is %s, want %s", CauseOf(err), Unavailable)
		}
		const text = "faulty: circuit open: not tried; the next try is in 4s (faulty: Sign with key-1: unavailable: mend it)"
		if err == nil || err.Error() != text {
			t.Errorf("got  %v\nwant %s", err, text)
		}
		_, err = h.Derive(t.Context(), []byte("x")) // the circuit is the device's, not the operation's
		wantReason(t, err, CircuitOpen)
		time.Sleep(4*time.Second - 1)
		wantReason(t, sign(t, h), CircuitOpen)
		if n := p.count(OpSign); n != before {
			t.Errorf("the device got %d calls through an open circuit", n-before)
		}
		p.fail(OpSign, nil)
		time.Sleep(time.Nanosecond)
		if err := errors.Join(sign(t, h), sign(t, h), h.Ready()); err != nil {
			t.Errorf("a device that works again: %v", err)
		}
		if n := p.count(OpSign); n != before+3 { // one of them the trial
			t.Errorf("%d calls, want 3", n-before)
		}
	})
}

// TestRefusalOpensAtOnce: no second call with a key that was taken away, and no
// second attempt with a wrong PIN.
func TestRefusalOpensAtOnce(t *testing.T) {
	for _, r := range Reasons {
		if !r.Refused() {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			p := newFaulty(t)
			h := Supervise(p, Policy{}, nil)
			p.refuse(OpSign, r)
			wantReason(t, sign(t, h), r)
			err := sign(t, h)
			if wantReason(t, err, CircuitOpen); CauseOf(err) != r || p.count(OpSign) != 1 {
				t.Errorf("%d calls, then %v; want 1, and circuit open because of %s", p.count(OpSign), err, r)
			}
		})
	}
}

// TestCoolDownDoubles while the device stays away, and begins anew once it has
// been back.
func TestCoolDownDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, once, nil)
		p.refuse(OpSign, Disabled)
		wantReason(t, sign(t, h), Disabled)
		for _, cooldown := range []time.Duration{5, 10, 20, 30, 30} {
			cooldown *= time.Second
			time.Sleep(cooldown - 1)
			wantReason(t, sign(t, h), CircuitOpen)
			time.Sleep(time.Nanosecond)
			before := p.count(OpSign)
			wantReason(t, sign(t, h), Disabled)
			wantReason(t, sign(t, h), CircuitOpen)
			if n := p.count(OpSign) - before; n != 1 {
				t.Errorf("%d calls after %s, want 1", n, cooldown)
			}
		}
		time.Sleep(maxCooldown)
		p.fail(OpSign, nil)
		wantReason(t, sign(t, h), OK)
		p.refuse(OpSign, Disabled)
		wantReason(t, sign(t, h), Disabled)
		time.Sleep(5 * time.Second)
		wantReason(t, sign(t, h), Disabled)
	})
}

// TestOneCallTries: while one call tries a half open circuit, others fail at
// once; and if its caller gives up, the next one may.
func TestOneCallTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, once, nil)
		p.refuse(OpSign, Denied)
		wantReason(t, sign(t, h), Denied)
		time.Sleep(5 * time.Second)
		p.fail(OpSign, sleeps(time.Second))
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { _, err := h.Sign(ctx, [32]byte{}); gone <- err }()
		synctest.Wait()
		wantReason(t, sign(t, h), CircuitOpen)
		cancel()
		wantReason(t, <-gone, Canceled)
		start := time.Now()
		wantReason(t, sign(t, h), OK)
		wantSince(t, start, 2*time.Second, 2*time.Second) // the trial and the call
	})
}

// TestBothKeysMustWork: a signature does not close a circuit that the
// derivation key opened.
func TestBothKeysMustWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, once, nil)
		p.refuse(OpDerive, Disabled)
		_, err := h.Derive(t.Context(), []byte("x"))
		wantReason(t, err, Disabled)
		time.Sleep(5 * time.Second)
		wantReason(t, sign(t, h), Disabled)
		wantReason(t, sign(t, h), CircuitOpen)
		p.fail(OpDerive, func(context.Context) error { return ErrCannotDerive }) // as of a device that never could
		time.Sleep(10 * time.Second)
		wantReason(t, sign(t, h), OK)
	})
}

// TestRefusedStaysRefused until the device works: that it can't be reached
// meanwhile does not give the key back.
func TestRefusedStaysRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, once, nil)
		for i, step := range []struct{ now, ready Reason }{
			{Unavailable, Unavailable}, {Disabled, Disabled}, {Unavailable, Disabled}, {PendingDeletion, PendingDeletion},
			{OK, OK}, {Timeout, Timeout},
		} {
			p.refuse(OpSign, step.now)
			if step.now == OK {
				p.fail(OpSign, nil)
			}
			wantReason(t, sign(t, h), step.now)
			if err := h.Ready(); ReasonOf(err) != step.ready {
				t.Errorf("step %d: %s, and Ready gives %v", i, step.now, err)
			}
			time.Sleep(maxCooldown)
		}
	})
}

// TestSparedResults say nothing about the device: caller's fault, caller's
// wish, or a key that was never there.
func TestSparedResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, Policy{Trip: 1}, nil)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for range 3 {
			if _, err := h.Sign(over, [32]byte{}); !errors.Is(err, context.Canceled) {
				t.Errorf("a cancelled call gives %v", err)
			}
			if _, err := h.Derive(t.Context(), nil); !errors.Is(err, ErrLabel) {
				t.Errorf("a bad label gives %v", err)
			}
			p.fail(OpDerive, func(context.Context) error { return fmt.Errorf("no key: %w", ErrCannotDerive) })
			if _, err := h.Derive(t.Context(), []byte("x")); !errors.Is(err, ErrCannotDerive) {
				t.Errorf("a device without derivation key gives %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			p.fail(OpSign, func(ctx context.Context) error { <-ctx.Done(); return because(Unavailable) }) // a cut connection
			if _, err := h.Sign(ctx, [32]byte{}); !errors.Is(err, context.Canceled) {
				t.Errorf("a call cancelled on its way gives %v", err)
			}
			p.fail(OpSign, nil)
		}
		if err := errors.Join(h.Ready(), sign(t, h)); err != nil {
			t.Error(err)
		}
	})
}

// TestLateResults: what was asked before the circuit opened neither closes it
// nor changes the reason.
func TestLateResults(t *testing.T) {
	for _, late := range []error{nil, because(Timeout), errBroken} {
		synctest.Test(t, func(t *testing.T) {
			p := newFaulty(t)
			h, ended := Supervise(p, once, nil), make(chan error)
			p.fail(OpSign, func(context.Context) error { time.Sleep(4 * time.Second); return late })
			go func() { ended <- sign(t, h) }()
			synctest.Wait()
			p.refuse(OpSign, Disabled)
			wantReason(t, sign(t, h), Disabled)
			wantReason(t, <-ended, ReasonOf(late))
			wantReason(t, h.Ready(), Disabled)
			if err := sign(t, h); err == nil || !strings.Contains(err.Error(), "disabled") {
				t.Errorf("after a late %v: %v", late, err)
			}
		})
	}
}
