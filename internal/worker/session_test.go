package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

func fakeSessions(t *testing.T) (*sessions, *machinetest.Provider) {
	m, a, p := fakeAttester(t)
	return newSessions(m, 0, a), p
}

// TestKeyFromTheFuture: a node whose clock was fast and is right again takes a new
// key at once. Readers would refuse the old one for as long as the clock was fast.
func TestKeyFromTheFuture(t *testing.T) {
	s, _ := fakeSessions(t)
	synctest.Test(t, func(t *testing.T) {
		if _, err := s.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		for back, due := range map[time.Duration]bool{
			0: false, wire.ClockSkew/2 - 2*time.Second: false, wire.ClockSkew/2 + 2*time.Second: true, time.Hour: true,
		} {
			if now := time.Now().Add(-back); s.due(now) != due || s.valid(now) == due {
				t.Errorf("%s before the key: due %t, valid %t; want due %t", back, s.due(now), s.valid(now), due)
			}
		}
	})
}

// TestSessionRenewal: a key is renewed at half its life, and a node whose
// device is away speaks as long as its key is good, falls silent, and speaks
// again when the device is back.
func TestSessionRenewal(t *testing.T) {
	s, p := fakeSessions(t)
	synctest.Test(t, func(t *testing.T) {
		if s.valid(time.Now()) || !s.due(time.Now()) {
			t.Error("a node without a key is valid, or is not due for one")
		}
		if _, err := s.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		at := func(d time.Duration, due, valid bool) {
			t.Helper()
			if now := start.Add(d); s.due(now) != due || s.valid(now) != valid {
				t.Errorf("after %s: due %t, valid %t; want %t, %t", d, s.due(now), s.valid(now), due, valid)
			}
		}
		half := wire.DelegationLife / 2
		at(half-2*time.Second, false, true)
		at(half+2*time.Second, true, true)
		at(wire.DelegationLife-fillTime-2*time.Second, true, true)
		at(wire.DelegationLife-fillTime+2*time.Second, true, false)

		p.SetFault(func(context.Context) error { return errDevice })
		failing, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := s.renew(failing); !errors.Is(err, errDevice) {
			t.Errorf("renewal by a failing device gave %v", err)
		}
		if _, _, err := s.seal(t.Context(), "dkg.x", nil); err != nil {
			t.Errorf("a failed renewal took the old key away: %v", err)
		}
		time.Sleep(wire.DelegationLife - fillTime)
		sealed := make(chan time.Time, 1)
		go func() {
			if _, _, err := s.seal(t.Context(), "dkg.x", nil); err != nil {
				t.Error(err)
			}
			sealed <- time.Now()
		}()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := s.seal(short, "dkg.x", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sealed under a key near its end: %v", err)
		}
		time.Sleep(time.Hour)
		p.SetFault(nil)
		back := time.Now()
		if _, err := s.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if when := <-sealed; when.Before(back) {
			t.Errorf("sealed %s before there was a fresh key", back.Sub(when))
		}
	})
}

// TestOneRenewalAtATime: the ticker asks every second, for as long as it takes.
func TestOneRenewalAtATime(t *testing.T) {
	s, p := fakeSessions(t)
	synctest.Test(t, func(t *testing.T) {
		p.SetFault(func(context.Context) error { time.Sleep(20 * time.Second); return nil })
		for range 19 {
			go func() {
				if _, err := s.renew(t.Context()); err != nil {
					t.Error(err)
				}
			}()
			time.Sleep(time.Second)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := p.Calls(); n != 1 || !s.valid(time.Now()) {
			t.Errorf("%d calls, want 1", n)
		}
	})
}

// TestRenewalInFlight: an answer from before a refusal gives no key after it.
func TestRenewalInFlight(t *testing.T) {
	s, p := fakeSessions(t)
	synctest.Test(t, func(t *testing.T) {
		p.SetFault(func(context.Context) error { time.Sleep(time.Second); return nil })
		go func() { time.Sleep(time.Second / 2); s.drop() }()
		if renewed, err := s.renew(t.Context()); renewed || !errors.Is(err, errRefusedMeanwhile) {
			t.Errorf("renewed %t, %v", renewed, err)
		}
		if s.valid(time.Now()) || !s.silent() {
			t.Error("a key that was asked for before the refusal is used after it")
		}
		if renewed, err := s.renew(t.Context()); !renewed || err != nil || s.silent() {
			t.Errorf("the next one: renewed %t, %v", renewed, err)
		}
	})
}

// TestDroppedSession: a node whose device is refused is silent at once, and
// speaks again with the next key.
func TestDroppedSession(t *testing.T) {
	s, _ := fakeSessions(t)
	synctest.Test(t, func(t *testing.T) {
		if _, err := s.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.drop()
		if s.valid(time.Now()) || !s.due(time.Now()) {
			t.Error("a dropped key is valid, or none is due")
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := s.seal(short, "dkg.x", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sealed under a dropped key: %v", err)
		}
		if _, err := s.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.seal(t.Context(), "dkg.x", nil); err != nil {
			t.Error(err)
		}
	})
}
