package buswatch

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
)

func TestWatchLag(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	release := make(chan struct{})
	f, err := b.Follow(ctx, Sign, 0, bus.FollowOptions{Handler: func(bus.Message) { <-release }})
	if err != nil {
		t.Fatal(err)
	}
	// A second follower that keeps up hides nothing.
	if _, err := b.Follow(ctx, Sign, 0, bus.FollowOptions{Handler: func(bus.Message) {}}); err != nil {
		t.Fatal(err)
	}
	w := New(b, Options{})
	watch(t, w, testEvery)
	publish(t, b, 0, 5)
	sampleOf(t, w, func(s Sample) error {
		if f, ok := s.follower(Sign); !ok || f.Behind != 5 || f.For < 5*testEvery {
			return fmt.Errorf("stuck: %+v", s.Followers)
		}
		return nil
	})
	if err := w.Lagging(); err != nil {
		t.Errorf("after less than 30 s: %v", err)
	}
	close(release)
	sampleOf(t, w, func(s Sample) error {
		if f, ok := s.follower(Sign); !ok || f.Behind != 0 || f.For != 0 {
			return fmt.Errorf("caught up: %+v", s.Followers)
		}
		return nil
	})
	f.Stop()
}

// What was purged unread is nobody's lag, and a stream made anew is read from
// its start.
func TestWatchLagOfLostMessages(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	gate := make(chan struct{}, 100)
	if _, err := b.Follow(ctx, Sign, 0, bus.FollowOptions{Handler: func(bus.Message) { <-gate }}); err != nil {
		t.Fatal(err)
	}
	w := New(b, Options{})
	watch(t, w, testEvery)
	behind := func(want uint64) {
		t.Helper()
		sampleOf(t, w, func(s Sample) error {
			if f, ok := s.follower(Sign); !ok || f.Behind != want {
				return fmt.Errorf("%+v, want %d behind", s.Followers, want)
			}
			return nil
		})
	}
	publish(t, b, 0, 3)
	behind(3)
	stream, err := b.Conn().JS.Stream(ctx, "FROST_MAIN_SIGN")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	behind(0)
	for range cap(gate) {
		gate <- struct{}{}
	}
	deleteStreams(t, b, Sign)
	if err := b.Restore(ctx); err != nil {
		t.Fatal(err)
	}
	publish(t, b, 0, 1)
	behind(0)
}

// age lets what w remembers be of longer ago.
func (w *Watcher) age(by time.Duration) {
	for _, l := range w.lags {
		for i := range l.marks {
			l.marks[i].asked = l.marks[i].asked.Add(-by)
		}
		if !l.caught.IsZero() {
			l.caught = l.caught.Add(-by)
		}
	}
	for s, u := range w.unasked {
		w.unasked[s] = unasked{u.since.Add(-by), u.why}
	}
}

// wantLagging samples and compares: want is a pattern, "" for no error.
func (w *Watcher) wantLagging(t *testing.T, want string) Sample {
	t.Helper()
	s, err := w.sample(testContext(t))
	if (err == nil) != (want == "") || err != nil && !regexp.MustCompile(want).MatchString(err.Error()) {
		t.Errorf("%v, want %q; followers %+v", err, want, s.Followers)
	}
	return s
}

// A gateway reads KEYS from its beginning while it serves: the metrics tell how
// far it is, but the process is not held to it.
func TestLaggingOnlyOnceCaughtUp(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	gate := make(chan struct{})
	publish(t, b, 0, 5)
	f, err := b.Follow(ctx, Sign, 1, bus.FollowOptions{Handler: func(bus.Message) { <-gate }})
	if err != nil {
		t.Fatal(err)
	}
	defer close(gate)
	w := New(b, Options{})
	w.wantLagging(t, "")
	w.age(40 * time.Second)
	s := w.wantLagging(t, "")
	if state, _ := s.follower(Sign); state.Behind != 5 || state.For < 40*time.Second {
		t.Errorf("while it catches up: %+v", s.Followers)
	}
	publish(t, b, 5, 3) // while it catches up
	w.wantLagging(t, "")
	w.age(40 * time.Second)
	for range 5 {
		gate <- struct{}{}
	}
	eventually(t, "catching up", func() error {
		if !f.CaughtUp() {
			return errors.New("not yet")
		}
		return nil
	})
	s = w.wantLagging(t, "") // it has had no time to read the rest
	if state, _ := s.follower(Sign); state.Behind != 3 || state.For < 40*time.Second {
		t.Errorf("when it has caught up: %+v", s.Followers)
	}
	w.age(20 * time.Second)
	w.wantLagging(t, "")
	w.age(11 * time.Second)
	w.wantLagging(t, "^SIGN is read 3 messages and [7-9]\\d s behind its end$")
}

// A follower whose stream can't be asked about is known to be nothing but
// behind; and that the stream can't be asked is a fault of its own.
func TestWatchStreamThatCannotBeAsked(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	gate := make(chan struct{})
	defer close(gate)
	for stream, handler := range map[bus.Stream]func(bus.Message){Keys: func(bus.Message) {}, Sign: func(bus.Message) { <-gate }} {
		if _, err := b.Follow(ctx, stream, 0, bus.FollowOptions{Handler: handler}); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, b, 0, 3)
	w := New(b, Options{})
	s := w.wantLagging(t, "")
	want := []FollowerState{{Stream: Keys}, {Stream: Sign, Behind: 3, For: s.At.Sub(w.oldest(Sign))}}
	if !slices.Equal(s.Followers, want) {
		t.Fatalf("%+v, want %+v", s.Followers, want)
	}
	deleteStreams(t, b, Keys, Sign)
	w.wantLagging(t, "")
	w.age(20 * time.Second)
	s = w.wantLagging(t, "")
	if len(s.Followers) != 1 || s.Followers[0].Stream != Sign || s.Followers[0].Behind != 3 || s.Followers[0].For < 20*time.Second {
		t.Errorf("%+v, want SIGN to go on being 3 behind", s.Followers)
	}
	w.age(11 * time.Second)
	w.wantLagging(t, "^KEYS could not be asked about for [3-5]\\d s: .*stream not found")
	if err := b.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	s = w.wantLagging(t, "")
	if _, ok := s.follower(Keys); !ok || len(w.unasked) != 0 {
		t.Errorf("asked again: %+v, %v", s.Followers, w.unasked)
	}
}

// oldest is the time of the oldest mark that the stream's follower has not reached.
func (w *Watcher) oldest(stream bus.Stream) time.Time {
	for f, l := range w.lags {
		if f.Stream() == stream {
			return l.marks[0].asked
		}
	}
	return time.Time{}
}

// Time without a connection is not held against a stream.
func TestUnaskedEndsWithConnection(t *testing.T) {
	b, s := newTestBus(t)
	if _, err := b.Follow(testContext(t), Keys, 0, bus.FollowOptions{Handler: func(bus.Message) {}}); err != nil {
		t.Fatal(err)
	}
	w := New(b, Options{})
	w.unasked[Keys] = unasked{time.Now().Add(-time.Hour), bus.ErrDenied}
	s.Shutdown()
	eventually(t, "losing the connection", lost(b))
	w.wantLagging(t, "")
}
