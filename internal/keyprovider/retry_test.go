package keyprovider

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRetry: only transient failures are retried.
func TestRetry(t *testing.T) {
	for _, r := range Reasons[1:] {
		t.Run(string(r), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFaulty(t)
				h, start := Supervise(p, Policy{}, nil), time.Now()
				p.refuse(OpSign, r)
				wantReason(t, sign(t, h), r)
				calls, took := p.count(OpSign), time.Since(start)
				switch r {
				case Throttled, Unavailable, Timeout, BadAnswer:
					// 250, 500 and 1000 ms, or half as long
					if calls != 4 || took < 875*time.Millisecond || took > 1750*time.Millisecond {
						t.Errorf("%d attempts in %s, want 4 in 0.9 to 1.75 s", calls, took)
					}
				default:
					if calls != 1 || took != 0 {
						t.Errorf("%d attempts in %s, want 1", calls, took)
					}
				}
			})
		})
	}
}

func TestRetrySucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h, left := Supervise(p, Policy{}, nil), 3
		p.fail(OpSign, func(context.Context) error {
			if left--; left >= 0 {
				return because(Throttled)
			}
			return nil
		})
		if err := sign(t, h); err != nil {
			t.Errorf("the fourth attempt works, and the call gives %v", err)
		}
		if err := h.Ready(); err != nil {
			t.Errorf("attempts that were made good count: %v", err)
		}
	})
}

// TestRetryEndsWithItsCaller, or with Close, and says what the device had said.
func TestRetryEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		p.refuse(OpSign, Throttled)
		h := Supervise(p, Policy{}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := h.Sign(ctx, [32]byte{})
		if wantSince(t, start, 50*time.Millisecond, 50*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a deadline in the pause gives %v", err)
		}
		wantReason(t, err, Throttled)
		if n := p.count(OpSign); n != 1 {
			t.Errorf("%d attempts, want 1", n)
		}
		time.AfterFunc(50*time.Millisecond, func() { _ = h.Close() })
		start = time.Now()
		if err := sign(t, h); !errors.Is(err, ErrClosed) {
			t.Errorf("a Close in the pause gives %v", err)
		}
		wantSince(t, start, 50*time.Millisecond, 50*time.Millisecond)
	})
}

// TestSignOnce: one attempt, and failures below the threshold don't make a
// device fail.
func TestSignOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		h := Supervise(p, Policy{Trip: 2}, nil)
		p.refuse(OpSign, Throttled)
		for i, want := range []Reason{Throttled, Throttled, Throttled, Throttled, Throttled, CircuitOpen} {
			_, err := h.SignOnce(t.Context(), [32]byte{})
			wantReason(t, err, want)
			if failing := h.Ready() != nil; failing != (i >= 3) {
				t.Errorf("after %d failures the device fails: %t", i+1, failing)
			}
		}
		if n := p.count(OpSign); n != 5 {
			t.Errorf("%d attempts, want 5", n)
		}
	})
}

// TestAttemptsEndInTime: each one's context ends after Policy.Timeout.
func TestAttemptsEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFaulty(t)
		p.fail(OpSign, hangs(nil))
		h, start := Supervise(p, Policy{Attempts: 1}, nil), time.Now()
		wantReason(t, sign(t, h), Timeout)
		wantSince(t, start, 5*time.Second, 5*time.Second)
	})
}

// TestPanicIsAnError, and says where but not what.
func TestPanicIsAnError(t *testing.T) {
	p := newFaulty(t)
	p.fail(OpSign, func(context.Context) error { panic("secret 42") })
	h := Supervise(p, Policy{Name: "faulty"}, nil)
	err := sign(t, h)
	wantReason(t, err, Other)
	if strings.Contains(err.Error(), "42") || !strings.Contains(err.Error(), "TestPanicIsAnError") {
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
