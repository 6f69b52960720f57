package backoff

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestNext: pauses double up to Max, and each lies in the upper half.
func TestNext(t *testing.T) {
	b := Backoff{Min: 10 * time.Millisecond, Max: 100 * time.Millisecond}
	for round := range 2 {
		for i, want := range []time.Duration{10, 20, 40, 80, 100, 100, 100} {
			want *= time.Millisecond
			if d := b.Next(); d < want/2 || d > want {
				t.Errorf("round %d, pause %d is %s, want %s to %s", round, i, d, want/2, want)
			}
		}
		b.Reset()
	}
}

// TestJitter: two loops that begin together do not stay together.
func TestJitter(t *testing.T) {
	pauses := map[time.Duration]bool{}
	for range 100 {
		b := Backoff{Min: time.Second, Max: time.Second}
		pauses[b.Next()] = true
	}
	if len(pauses) < 50 {
		t.Errorf("%d different pauses of 100", len(pauses))
	}
}

// TestOddBounds: a Max below Min and the zero value neither panic nor overflow.
func TestOddBounds(t *testing.T) {
	b := Backoff{Min: time.Second}
	for range 100 {
		if d := b.Next(); d < time.Second/2 || d > time.Second {
			t.Fatalf("pause is %s", d)
		}
	}
	if d := new(Backoff).Next(); d != 0 {
		t.Errorf("the zero value pauses for %s", d)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{Min: time.Minute, Max: time.Hour}
		began := time.Now()
		if err := b.Wait(t.Context()); err != nil || time.Since(began) < time.Minute/2 || time.Since(began) > time.Minute {
			t.Errorf("waited %s: %v", time.Since(began), err)
		}
	})
}

// TestContextEnds: a pause ends with its context, and does not begin after it.
func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		for range 2 {
			if err := Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
			if err := Sleep(ctx, 0); err == nil {
				t.Error("slept after the end of the context")
			}
		}
	})
}
