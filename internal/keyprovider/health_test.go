package keyprovider

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// watched is a provider with Watch running; it ends with stop.
func watched(t *testing.T, p Provider, policy Policy, o Observer) (h *Supervised, stop func()) {
	h = Supervise(p, policy, o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.Watch(ctx) }()
	return h, func() { cancel(); <-ended }
}

// TestDisabledKeyComesBack without traffic: Watch finds that the key was
// enabled again, within the cool-down.
func TestDisabledKeyComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, o := newFaulty(t), &heard{}
		h, stop := watched(t, p, Policy{Name: "faulty"}, o)
		defer stop()
		var changes []Reason
		h.OnChange(func(err error) {
			if changes = append(changes, ReasonOf(err)); ReasonOf(h.Ready()) != ReasonOf(err) {
				t.Errorf("told %v, and Ready says %v", err, h.Ready())
			}
		})
		start := time.Now()
		p.refuse(OpSign, Disabled)
		wantReason(t, sign(t, h), Disabled)
		want := "the key provider fails since " + start.UTC().Format(time.RFC3339) +
			": faulty: Sign with key-1: disabled: mend it"
		if err := h.Ready(); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		time.Sleep(34 * time.Second) // tries at 5 and 15 s
		if n := p.count(OpSign); n != 3 {
			t.Errorf("%d calls, want 3", n)
		}
		if err := h.Ready(); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		p.fail(OpSign, nil)
		time.Sleep(time.Second + time.Millisecond) // the next try is at 35 s
		synctest.Wait()
		if err := errors.Join(h.Ready(), sign(t, h)); err != nil {
			t.Errorf("the key is back: %v", err)
		}
		if !slices.Equal(changes, []Reason{Disabled, OK}) {
			t.Errorf("told %v", changes)
		}
		o.want(t, []Reason{Disabled, OK}, []bool{true, false})
	})
}

// TestHealthChanges: each reason is told once, the open circuit to the observer
// only, and a success ends it all.
func TestHealthChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, o := newFaulty(t), &heard{}
		h := Supervise(p, Policy{Attempts: 1, Trip: 4}, o)
		var changes []Reason
		h.OnChange(func(err error) { changes = append(changes, ReasonOf(err)) })
		for _, r := range []Reason{Throttled, Throttled, OK, Timeout, Throttled, Throttled, Throttled} {
			if p.refuse(OpSign, r); r == OK {
				p.fail(OpSign, nil)
			}
			wantReason(t, sign(t, h), r)
		}
		if !slices.Equal(changes, []Reason{Throttled, OK, Timeout, Throttled}) {
			t.Errorf("told %v", changes)
		}
		o.want(t, []Reason{Throttled, OK, Timeout, Throttled, Throttled}, []bool{false, false, false, false, true})
	})
}

// TestWatchTriesAtOnce after the first failed call, then at intervals that
// grow, and never faster.
func TestWatchTriesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h, stop := watched(t, p, Policy{Attempts: 1}, nil)
		defer stop()
		p.refuse(OpSign, Unavailable)
		wantReason(t, sign(t, h), Unavailable)
		at := time.Duration(0)
		for _, step := range []struct { // seconds since the failed call, calls so far
			at    time.Duration
			calls int
		}{
			{0, 2}, {4, 2}, {6, 3}, {16, 5}, {19, 5}, {21, 6}, {29, 6}, {31, 7}, {49, 7}, {51, 8}, {79, 8}, {81, 9},
			{109, 9}, {111, 10},
		} {
			time.Sleep(step.at*time.Second - at)
			at = step.at * time.Second
			synctest.Wait()
			if n := p.count(OpSign); n != step.calls {
				t.Errorf("after %s %d calls, want %d", at, n, step.calls)
			}
		}
		p.fail(OpSign, nil)
		time.Sleep(maxCooldown)
		synctest.Wait()
		if err := h.Ready(); err != nil {
			t.Error(err)
		}
	})
}

// TestIdleDeviceIsProbed, a used one is not, and a probe that fails counts like
// a call.
func TestIdleDeviceIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h, stop := watched(t, p, Policy{}, nil)
		defer stop()
		for range 5 { // busy
			time.Sleep(25 * time.Second)
			wantReason(t, sign(t, h), OK)
		}
		if n := p.count("probe"); n != 0 {
			t.Errorf("%d probes of a busy device", n)
		}
		time.Sleep(95 * time.Second)
		if n := p.count("probe"); n != 3 {
			t.Errorf("%d probes in 95 s, want 3", n)
		}
		p.refuse("probe", Disabled)
		p.refuse(OpSign, Disabled)
		time.Sleep(27 * time.Second) // the probe at 120 s
		wantReason(t, h.Ready(), Disabled)
		wantReason(t, sign(t, h), CircuitOpen)

		p.fail(OpSign, nil)
		p.fail("probe", func(context.Context) error { return ErrCannotDerive }) // says nothing
		time.Sleep(time.Hour)
		if err := h.Ready(); err != nil {
			t.Error(err)
		}
		if n := p.count("probe"); n < 120 || n > 130 {
			t.Errorf("%d probes in an hour, want 120 more", n)
		}
	})
}

// TestWatchWithoutProber neither spins nor calls.
func TestWatchWithoutProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h, stop := watched(t, struct{ Provider }{p}, Policy{}, nil)
		time.Sleep(time.Hour)
		stop()
		if err := h.Ready(); err != nil || len(p.calls) != 0 {
			t.Errorf("calls %v, %v", p.calls, err)
		}
	})
}

// TestWatchEndsWithClose.
func TestWatchEndsWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, Policy{}, nil)
		p.refuse(OpSign, Disabled)
		_ = sign(t, h)
		ended := make(chan struct{})
		go func() { defer close(ended); h.Watch(t.Context()) }()
		time.Sleep(time.Second)
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		<-ended
		wantReason(t, sign(t, h), Closed) // and not circuit open
	})
}

// TestTrialNoticesAnotherKey: a token that was swapped signs, but not as this
// node.
func TestTrialNoticesAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, once, nil)
		own, err := h.Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.refuse(OpSign, NotFound)
		wantReason(t, sign(t, h), NotFound)
		p.fail(OpSign, nil)
		mine := p.key
		if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if err := sign(t, h); ReasonOf(err) != BadAnswer || !strings.Contains(err.Error(), "does not verify") {
			t.Errorf("a device with another key gives %v", err)
		}
		p.key = mine
		time.Sleep(10 * time.Second)
		if wantReason(t, sign(t, h), OK); !own.Equal(&mine.PublicKey) {
			t.Error("not the same key")
		}
	})
}

// TestSlowDeviceComesBack: each step of a trial has the time of a call, so that
// a device which needs more than half of that passes too.
func TestSlowDeviceComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h, stop := watched(t, p, Policy{Timeout: time.Second}, nil)
		defer stop()
		p.fail(OpDerive, sleeps(600*time.Millisecond))
		p.refuse(OpSign, Disabled)
		wantReason(t, sign(t, h), Disabled)
		p.fail(OpSign, sleeps(600*time.Millisecond)) // enabled again
		time.Sleep(time.Minute)
		if err := h.Ready(); err != nil {
			t.Error(err)
		}
	})
}

// TestProbeThatIsRefused keeps the device down, and does not let a signature
// bring it up for a while.
func TestProbeThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, o := newFaulty(t), &heard{}
		h, stop := watched(t, p, Policy{}, o)
		defer stop()
		p.refuse("probe", Denied)
		time.Sleep(time.Hour)
		wantReason(t, h.Ready(), Denied)
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.states) != 1 {
			t.Errorf("%d changes of state in an hour: %v", len(o.states), o.states)
		}
	})
}

// TestLateRefusal: a call from before the circuit opened tells more than why it
// did.
func TestLateRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, Policy{Attempts: 1, Trip: 2}, nil)
		var told []Reason
		h.OnChange(func(err error) { told = append(told, ReasonOf(err)) })
		answer, done := make(chan struct{}), make(chan error)
		p.fail(OpSign, func(context.Context) error { <-answer; return because(Disabled) })
		go func() { done <- sign(t, h) }()
		synctest.Wait()
		p.refuse(OpSign, Unavailable)
		_ = sign(t, h)
		_ = sign(t, h)
		close(answer)
		wantReason(t, <-done, Disabled)
		wantReason(t, h.Ready(), Disabled)
		if !slices.Equal(told, []Reason{Unavailable, Disabled}) {
			t.Errorf("told %v", told)
		}
	})
}

// TestIdentityTellsNothing: an answer that no device gave heals none.
func TestIdentityTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, Policy{}, nil)
		if _, err := h.Identity(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.refuse(OpSign, Other)
		for range 5 {
			wantReason(t, sign(t, h), Other)
			if _, err := h.Identity(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		wantReason(t, sign(t, h), CircuitOpen)
	})
}
