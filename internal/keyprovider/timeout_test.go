package keyprovider

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestHangIsGivenUp: a device that ignores its context holds up nobody.
func TestHangIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		release := make(chan struct{})
		p.fail(OpSign, hangs(release))
		h := Harden(p, Policy{Name: "faulty", Attempts: 1}, nil)
		start := time.Now()
		err := sign(t, h)
		wantSince(t, start, 5*time.Second, 5*time.Second+grace)
		if wantReason(t, err, Timeout); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 5.1s") {
			t.Errorf("a hang gives %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start = time.Now()
		if _, err := h.Sign(ctx, [32]byte{}); !errors.Is(err, context.Canceled) || ReasonOf(err) != Canceled {
			t.Errorf("cancelling a hanging call gives %v", err)
		}
		wantSince(t, start, time.Second, time.Second+grace)

		start = time.Now()
		if err := h.Close(); err == nil || !strings.Contains(err.Error(), "has not ended within 5s") {
			t.Errorf("Close over a hanging call gives %v", err)
		}
		wantSince(t, start, 5*time.Second, 5*time.Second)
		close(release)
	})
}

// TestHangsDoNotPileUp: however many call, the device has maxCalls of them and
// the rest fail without a goroutine of their own; and when the device wakes up,
// so does the node.
func TestHangsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		release := make(chan struct{})
		p.fail(OpSign, hangs(release))
		h := Harden(p, Policy{Attempts: 1, Trip: 1000}, nil)
		var all sync.WaitGroup
		for range 3 * maxCalls {
			all.Go(func() { wantReason(t, sign(t, h), Timeout) })
		}
		all.Wait()
		if n := p.count(OpSign); n != maxCalls {
			t.Errorf("the device has %d calls, want %d", n, maxCalls)
		}
		if err := sign(t, h); err == nil || !strings.Contains(err.Error(), "64 calls that do not end") {
			t.Errorf("one more call gives %v", err)
		}
		close(release)
		synctest.Wait()
		p.fail(OpSign, nil)
		if err := sign(t, h); err != nil {
			t.Errorf("after the hang: %v", err)
		}
	})
}

// TestDevicesOwnWordsWin: a back end that heeds its context tells of the
// timeout itself, and knows better which key it was.
func TestDevicesOwnWordsWin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		p.fail(OpSign, func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(grace / 2)
			return because(Timeout)
		})
		h := Harden(p, Policy{Attempts: 1}, nil)
		if err := sign(t, h); err == nil || !strings.Contains(err.Error(), "key-1") {
			t.Errorf("got %v, want the device's error", err)
		}
	})
}

// TestPanicIsAnError, and says where but not what.
func TestPanicIsAnError(t *testing.T) {
	p := newFaulty(t)
	p.fail(OpSign, func(context.Context) error { panic("secret 42") })
	h := Harden(p, Policy{Name: "faulty"}, nil)
	err := sign(t, h)
	if wantReason(t, err, Other); strings.Contains(err.Error(), "42") || !strings.Contains(err.Error(), "TestPanicIsAnError") {
		t.Errorf("a panic gives %v", err)
	}
	p.fail(OpSign, func(context.Context) error { var none *faulty; none.key = nil; return nil })
	if err := sign(t, h); err == nil || !strings.Contains(err.Error(), "TestPanicIsAnError") {
		t.Errorf("a panic of the runtime gives %v", err)
	}
	p.fail(OpSign, nil)
	if err := sign(t, h); err != nil {
		t.Error(err)
	}
}
