package keyprovider

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestRetry: only what may pass by itself is tried again.
func TestRetry(t *testing.T) {
	for _, r := range Reasons[1:] {
		t.Run(string(r), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFaulty(t)
				h, start := Harden(p, Policy{}, nil), time.Now()
				p.refuse(OpSign, r)
				wantReason(t, sign(t, h), r)
				calls, took := p.count(OpSign), time.Since(start)
				switch r {
				case Throttled, Unavailable, Timeout, BadAnswer:
					// 200, 400 and 800 ms, half as long to half as long again
					if calls != 4 || took < 700*time.Millisecond || took > 2100*time.Millisecond {
						t.Errorf("%d attempts in %s, want 4 in 0.7 to 2.1 s", calls, took)
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
		h, left := Harden(p, Policy{}, nil), 3
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
		h := Harden(p, Policy{}, nil)
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
