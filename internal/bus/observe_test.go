package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/natsserver"

	"github.com/frostfleet/frostfleet/test/freeport"
)

func TestOutcomeOf(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{nil, OutcomeOK},
		{&BusyError{}, outcomeBusy},
		{fmt.Errorf("x: %w", &BusyError{}), outcomeBusy},
		{ErrExists, "exists"},
		{ErrConflict, "conflict"},
		{classify("x", context.DeadlineExceeded), "unknown"},
		{classify("x", errors.New("garbage")), "unknown"},
		{ErrDenied, "denied"},
		{ErrDisconnected, "disconnected"},
		{ErrNoStream, "no_stream"},
		{ErrTooLarge, "too_large"},
		{ErrClosed, "closed"},
		{context.Canceled, "canceled"},
		{context.DeadlineExceeded, "canceled"},
		{classify("x", context.Canceled), "canceled"},
		{errors.New("what"), outcomeOther},
	}
	seen := make(map[string]bool)
	for _, test := range tests {
		if got := outcome(test.err); got != test.want {
			t.Errorf("%v: %s, want %s", test.err, got, test.want)
		}
		seen[test.want] = true
	}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, slices.Sorted(slices.Values(Outcomes))) {
		t.Errorf("tested %v, Outcomes are %v", got, Outcomes)
	}
}

// watched counts what an Observer hears.
type watched struct {
	mu    sync.Mutex
	heard map[string]int
	worst time.Duration
}

func (w *watched) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.heard == nil {
		w.heard = make(map[string]int)
	}
	w.heard[what]++
}

func (w *watched) Published(stream Stream, outcome string, took time.Duration) {
	w.count(string(stream) + " " + outcome)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.worst = max(w.worst, took)
}

func (w *watched) Delivered(durable string, again bool) { w.count(fmt.Sprint(durable, " ", again)) }
func (w *watched) Reconnected()                         { w.count("reconnected") }

func (w *watched) seen(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard[what]
}

func (w *watched) take() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	heard := w.heard
	w.heard = nil
	return heard
}

func TestObserver(t *testing.T) {
	var w watched
	dir, port := t.TempDir(), freeport.New(t)
	s := startTest(t, dir, port)
	b := connectTest(t, s.URL(), func(o *Options) { o.Observe, o.AckTimeout = &w, 2*time.Second })
	ctx := testContext(t)
	if err := b.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	junk := func(Message) bool { return false }
	other := func(Message) bool { return true }
	steps := []struct {
		name string
		do   func() error
		want map[string]int
	}{
		{"stored", func() error { _, err := b.Publish(ctx, "work.a.b.c.0.0", nil, nil); return err },
			map[string]int{"WORK ok": 1}},
		{"a slot", func() error { _, err := b.PublishSlot(ctx, deal(t, 0), nil, nil, junk); return err },
			map[string]int{"KEYS ok": 1}},
		{"a slot that is taken", func() error { _, err := b.PublishSlot(ctx, deal(t, 0), nil, nil, other); return err },
			map[string]int{"KEYS conflict": 1}},
		{"a slot with junk", func() error { _, err := b.PublishSlot(ctx, deal(t, 0), nil, nil, junk); return err },
			map[string]int{"KEYS conflict": 1, "KEYS ok": 1}},
		{"a result", func() error { _, err := b.Publish(ctx, "res.alice.j", nil, nil); return err },
			map[string]int{"RESULTS ok": 1}},
		{"a result once more", func() error { _, err := b.Publish(ctx, "res.alice.j", nil, nil); return wants(err, ErrExists) },
			map[string]int{"RESULTS exists": 1}},
		{"too large", func() error {
			_, err := b.Publish(ctx, "job.sign.alice", make([]byte, 2<<20), nil)
			return wants(err, ErrTooLarge)
		}, map[string]int{"JOBS too_large": 1}},
		{"the caller gave up", func() error {
			_, err := b.Publish(ended, "work.a.b.c.0.0", nil, nil)
			return wants(err, context.Canceled)
		}, map[string]int{"WORK canceled": 1}},
		{"a bad subject is no attempt", func() error { _, err := b.Publish(ctx, "nothing", nil, nil); return wants(err, ErrSubject) }, nil},
	}
	for _, step := range steps {
		w.take()
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if heard := w.take(); !maps.Equal(heard, step.want) {
			t.Errorf("%s: heard %v, want %v", step.name, heard, step.want)
		}
	}
	// What may change is tried again, until the caller gives up.
	config := declarationOf(b, Results).config(b.names, 1)
	config.MaxBytes = 1
	if _, err := b.nc.JS.UpdateStream(ctx, config); err != nil {
		t.Fatal(err)
	}
	if err := b.nc.JS.DeleteStream(ctx, b.names.stream(Notices)); err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]string{"res.alice.j2": "RESULTS busy", "notice.alice.j": "NOTICES no_stream"} {
		w.take()
		soon, cancel := context.WithCancel(ctx)
		published := make(chan error, 1)
		go func() { _, err := b.Publish(soon, subject, make([]byte, 100), nil); published <- err }()
		eventually(t, want, func() error {
			if n := w.seen(want); n < 2 {
				return fmt.Errorf("%d attempts", n)
			}
			return nil
		})
		cancel()
		if err := <-published; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", subject, err)
		}
	}
	if w.worst <= 0 || w.worst > 30*time.Second {
		t.Errorf("the longest attempt took %v", w.worst)
	}
	testObservedRestart(t, b, &w, s, dir, port)
}

func declarationOf(b *Bus, stream Stream) *declaration {
	i := slices.IndexFunc(b.streams(), func(d declaration) bool { return d.Name == stream })
	return &b.streams()[i]
}

// wants turns the error that is expected into none.
func wants(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("%v, want %v", err, want)
}

// testObservedRestart publishes while there is no server, and later again.
func testObservedRestart(t *testing.T, b *Bus, w *watched, s *natsserver.Server, dir string, port int) {
	s.Shutdown()
	eventually(t, "losing the connection", func() error {
		if b.Healthy() == nil {
			return errors.New("still connected")
		}
		return nil
	})
	w.take()
	ctx, cancel := context.WithTimeout(testContext(t), 300*time.Millisecond)
	defer cancel()
	if _, err := b.Publish(ctx, "job.sign.alice", nil, nil); err == nil {
		t.Error("stored without a server")
	}
	heard := w.take()
	if tries := heard["JOBS disconnected"]; tries == 0 || len(heard) > 2 || len(heard) == 2 && heard["JOBS canceled"] != 1 {
		t.Errorf("without a server: heard %v", heard)
	}
	startTest(t, dir, port)
	eventually(t, "reconnecting", func() error {
		if n := w.take()["reconnected"]; n != 1 {
			return fmt.Errorf("heard %d times", n)
		}
		return nil
	})
	done := make(chan struct{})
	if _, err := b.Publish(testContext(t), "job.sign.alice", nil, nil); err != nil {
		t.Fatal(err)
	}
	durable := GatewaysDurable("sign")
	c := consume(t, b, Jobs, durable, 16, func(d Delivery) {
		if d.Attempt() == 1 {
			if err := d.Nak(0); err != nil {
				t.Error(err)
			}
			return
		}
		if err := d.Ack(context.Background()); err != nil {
			t.Error(err)
		}
		close(done)
	})
	<-done
	c.Stop()
	want := map[string]int{"JOBS ok": 1, durable + " false": 1, durable + " true": 1}
	if heard := w.take(); !maps.Equal(heard, want) {
		t.Errorf("a job that is given back once: heard %v, want %v", heard, want)
	}
}
