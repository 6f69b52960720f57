package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

var errDevice = errors.New("device says no")

// newAttester is an attester over a fake provider; it ends with the test.
func newAttester(t *testing.T) (*attester, *fakeProvider) {
	p := &fakeProvider{Provider: newProvider(t)}
	life, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return &attester{manifest: newManifest(t, 1, p), sign: p.Sign, life: life}, p
}

// attestKey has a session key attested and checks the attestation as any
// node would: by opening a message under the key.
func attestKey(t *testing.T, ctx context.Context, a *attester) error {
	key, err := protocol.NewSessionKey(rand.Reader, 0, time.Now())
	if err != nil {
		t.Error(err)
		return nil
	}
	att, err := a.attest(ctx, key.Leaf(a.manifest))
	if err != nil {
		return err
	}
	key.Delegate(att)
	slot := protocol.Slot{Kind: protocol.SlotDeal, ID: "0123456789abcdef0123456789abcdef"}
	msg := protocol.LogMessage{Subject: slot.String(), Time: time.Now(), Data: key.Seal(a.manifest, slot.String(), []byte("body"))}
	access, err := protocol.NewAccess(nil, nil)
	if err != nil {
		t.Error(err)
		return nil
	}
	node := protocol.NewNode(protocol.NodeConfig{Manifest: a.manifest, Access: access})
	if v := node.Judge(slot, msg, []byte("body")); v != protocol.Mine {
		t.Errorf("a message under an attested key is judged %d, want %d", v, protocol.Mine)
	}
	return nil
}

// TestAttestsShareCalls: whoever comes while a call is under way shares the
// next one, and every attestation verifies.
func TestAttestsShareCalls(t *testing.T) {
	a, p := newAttester(t)
	synctest.Test(t, func(t *testing.T) {
		a.life = t.Context()
		p.set(func(context.Context) error { time.Sleep(time.Second); return nil })
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				if err := attestKey(t, t.Context(), a); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // the first is on its way before the second comes
		}
		wg.Wait()
		if n := p.count(); n != 2 { // the first alone, then all that waited
			t.Errorf("40 leaves at once took %d calls, want 2", n)
		}
		if err := attestKey(t, t.Context(), a); err != nil {
			t.Error(err)
		}
		if n := p.count(); n != 3 {
			t.Errorf("a leaf later took %d calls, want 1", n-2)
		}
	})
}

// TestAttestBounds: more leaves than a tree holds take more calls.
func TestAttestBounds(t *testing.T) {
	a, p := newAttester(t)
	synctest.Test(t, func(t *testing.T) {
		a.life = t.Context()
		p.set(func(context.Context) error { time.Sleep(time.Second); return nil })
		var wg sync.WaitGroup
		for i := range maxLeaves + 2 {
			wg.Go(func() {
				att, err := a.attest(t.Context(), [32]byte{byte(i), byte(i >> 8)})
				if err != nil || int(att.Size) > maxLeaves {
					t.Errorf("tree of %v, error %v", att, err)
				}
			})
			if i == 0 {
				synctest.Wait() // it goes alone
			}
		}
		wg.Wait()
		if n := p.count(); n != 3 {
			t.Errorf("%d calls, want 3", n)
		}
	})
}

// TestAttestErrorFansOut: everybody in a failed call hears of it, the next
// call waits, and a device that comes back is used.
func TestAttestErrorFansOut(t *testing.T) {
	a, p := newAttester(t)
	synctest.Test(t, func(t *testing.T) {
		a.life = t.Context()
		p.set(func(context.Context) error { time.Sleep(time.Second); return errDevice })
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := attestKey(t, t.Context(), a); !errors.Is(err, errDevice) {
					t.Errorf("got %v, want the device's error", err)
				}
			})
		}
		wg.Wait()
		p.set(nil)
		start := time.Now()
		if err := attestKey(t, t.Context(), a); err != nil {
			t.Errorf("after the device came back: %v", err)
		}
		if pause := time.Since(start); pause < minPause || pause > maxPause {
			t.Errorf("the call after a failed one came after %s", pause)
		}
	})
}

// TestFailingDeviceIsNotHammered: many who try again at once make no more
// calls than one would.
func TestFailingDeviceIsNotHammered(t *testing.T) {
	a, p := newAttester(t)
	synctest.Test(t, func(t *testing.T) {
		a.life = t.Context()
		p.set(func(context.Context) error { return errDevice })
		w := &Worker{attester: a}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				if att := w.mustAttest(ctx, [32]byte{byte(i)}); att != nil {
					t.Error("attested by a device that fails")
				}
			})
		}
		wg.Wait()
		if n := p.count(); n < 10 || n > 40 {
			t.Errorf("%d calls in a minute of failures", n)
		}
	})
}

// TestOneWaiterLeaves: its end is nobody else's.
func TestOneWaiterLeaves(t *testing.T) {
	a, p := newAttester(t)
	synctest.Test(t, func(t *testing.T) {
		a.life = t.Context()
		p.set(func(context.Context) error { time.Sleep(time.Minute / 3); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if i%2 == 0 { // also the one that leads
					if err := attestKey(t, ctx, a); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v, want the waiter's own end", err)
					}
				} else if err := attestKey(t, t.Context(), a); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := attestKey(t, ctx, a); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who comes after its end got %v", err)
		}
	})
}

// TestHangingCallIsGivenUp: a call without end does not stop the node for
// ever, and ends with the worker.
func TestHangingCallIsGivenUp(t *testing.T) {
	a, p := newAttester(t)
	synctest.Test(t, func(t *testing.T) {
		life, end := context.WithCancel(t.Context())
		a.life = life
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		p.set(hang)
		start := time.Now()
		if err := attestKey(t, t.Context(), a); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != signTime {
			t.Errorf("got %v after %s, want a deadline after %s", err, time.Since(start), signTime)
		}
		p.set(nil)
		if err := attestKey(t, t.Context(), a); err != nil {
			t.Errorf("after the hanging call: %v", err)
		}
		p.set(hang)
		go func() { time.Sleep(time.Second); end() }()
		if err := attestKey(t, t.Context(), a); !errors.Is(err, context.Canceled) {
			t.Errorf("a call under way when the worker ends gave %v", err)
		}
		synctest.Wait()
		if a.busy {
			t.Error("the attester still works after its life")
		}
	})
}

func newSessions(t *testing.T) (*sessions, *fakeProvider) {
	a, p := newAttester(t)
	return &sessions{manifest: a.manifest, attester: a}, p
}

// TestSessionRenewal: a key is renewed at half its life, and a node whose
// device is away speaks as long as its key is good, falls silent, and speaks
// again when the device is back.
func TestSessionRenewal(t *testing.T) {
	s, p := newSessions(t)
	synctest.Test(t, func(t *testing.T) {
		s.attester.life = t.Context()
		if s.valid(time.Now()) || !s.due(time.Now()) {
			t.Error("a node without a key is valid, or is not due for one")
		}
		if err := s.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		at := func(d time.Duration, due, valid bool) {
			t.Helper()
			if now := start.Add(d); s.due(now) != due || s.valid(now) != valid {
				t.Errorf("after %s: due %t, valid %t; want %t, %t", d, s.due(now), s.valid(now), due, valid)
			}
		}
		half := protocol.DelegationLife / 2
		at(half-2*time.Second, false, true)
		at(half+2*time.Second, true, true)
		at(protocol.DelegationLife-fillTime-2*time.Second, true, true)
		at(protocol.DelegationLife-fillTime+2*time.Second, true, false)

		p.set(func(context.Context) error { return errDevice })
		if err := s.renew(t.Context()); !errors.Is(err, errDevice) {
			t.Errorf("renewal by a failing device gave %v", err)
		}
		if _, err := s.seal(t.Context(), "dkg.x", nil); err != nil {
			t.Errorf("a failed renewal took the old key away: %v", err)
		}
		time.Sleep(protocol.DelegationLife - fillTime)
		sealed := make(chan time.Time, 1)
		go func() {
			if _, err := s.seal(t.Context(), "dkg.x", nil); err != nil {
				t.Error(err)
			}
			sealed <- time.Now()
		}()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.seal(short, "dkg.x", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sealed under a key near its end: %v", err)
		}
		time.Sleep(time.Hour)
		p.set(nil)
		back := time.Now()
		if err := s.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if when := <-sealed; when.Before(back) {
			t.Errorf("sealed %s before there was a fresh key", back.Sub(when))
		}
	})
}

// TestOneRenewalAtATime: the ticker asks every second, for as long as it takes.
func TestOneRenewalAtATime(t *testing.T) {
	s, p := newSessions(t)
	synctest.Test(t, func(t *testing.T) {
		s.attester.life = t.Context()
		p.set(func(context.Context) error { time.Sleep(20 * time.Second); return nil })
		for range 19 {
			go func() {
				if err := s.renew(t.Context()); err != nil {
					t.Error(err)
				}
			}()
			time.Sleep(time.Second)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := p.count(); n != 1 || !s.valid(time.Now()) {
			t.Errorf("%d calls, want 1", n)
		}
	})
}
