package bus

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestUnacked: a stream that acknowledges nothing for 5 s is reported, as long as
// somebody tries; whoever refuses is there.
func TestUnacked(t *testing.T) {
	lost := fmt.Errorf("%w: %w", ErrUnknown, context.DeadlineExceeded)
	for name, test := range map[string]struct {
		attempts []error // one a second
		later    time.Duration
		want     bool
	}{
		"none":              {},
		"stored":            {[]error{nil, nil, nil, nil, nil, nil, nil}, 0, false},
		"not for long":      {[]error{lost, lost, lost, lost}, 0, false},
		"for long":          {[]error{nil, lost, lost, lost, lost, lost, lost, lost}, 0, true},
		"missing":           {[]error{ErrNoStream, ErrNoStream, ErrNoStream, ErrNoStream, ErrNoStream, ErrNoStream, ErrNoStream}, 0, true},
		"one got through":   {[]error{lost, lost, lost, lost, nil, lost, lost, lost}, 0, false},
		"refused meanwhile": {[]error{lost, ErrExists, lost, &BusyError{}, lost, lost, lost, lost}, 0, true},
		"given up":          {[]error{context.Canceled, context.Canceled, context.Canceled, context.Canceled, context.Canceled, context.Canceled}, 0, false},
		"nobody tries more": {[]error{lost, lost, lost, lost, lost, lost, lost}, unackedRecent, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &Bus{}
				b.declared.Store(&[]declaration{{Name: Keys}, {Name: Sign}, {Name: DeadLetter}})
				for _, err := range test.attempts {
					start := time.Now()
					time.Sleep(time.Second)
					b.unacked.note(Sign, start, err)
					b.unacked.note(Keys, start, nil)
					b.unacked.note(DeadLetter, start, lost)
				}
				time.Sleep(test.later)
				if err := b.Publishing(); (err != nil) != test.want {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// TestPublishingReported: the attempts of real publishes count.
func TestPublishingReported(t *testing.T) {
	b, _ := newTestBus(t)
	if err := b.nc.JS.DeleteStream(testContext(t), b.names.stream(Sign)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	done := make(chan error, 1)
	go func() {
		_, err := b.Publish(ctx, commitSubject(testBatch, 1), []byte("x"), nil)
		done <- err
	}()
	eventually(t, "a report", func() error {
		if err := b.Publishing(); !errors.Is(err, ErrNoStream) {
			return fmt.Errorf("reported %v", err)
		}
		return nil
	})
	if err := b.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := b.Publishing(); err != nil {
		t.Errorf("after it was stored: %v", err)
	}
}
