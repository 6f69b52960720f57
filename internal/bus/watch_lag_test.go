package bus

import (
	"fmt"
	"testing"
	"time"
)

func TestWatchLag(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	release := make(chan struct{})
	f, err := b.Follow(ctx, Sign, 0, FollowOptions{Handler: func(Message) { <-release }})
	if err != nil {
		t.Fatal(err)
	}
	// A second follower that keeps up hides nothing.
	if _, err := b.Follow(ctx, Sign, 0, FollowOptions{Handler: func(Message) {}}); err != nil {
		t.Fatal(err)
	}
	watch(t, b, testEvery)
	publishN(t, b, 0, 5)
	sampleOf(t, b, func(s Sample) error {
		if f, ok := s.follower(Sign); !ok || f.Behind != 5 || f.For < 5*testEvery {
			return fmt.Errorf("stuck: %+v", s.Followers)
		}
		return nil
	})
	if err := b.Lagging(); err != nil {
		t.Errorf("after less than 30 s: %v", err)
	}
	close(release)
	sampleOf(t, b, func(s Sample) error {
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
	if _, err := b.Follow(ctx, Sign, 0, FollowOptions{Handler: func(Message) { <-gate }}); err != nil {
		t.Fatal(err)
	}
	watch(t, b, testEvery)
	behind := func(want uint64) {
		t.Helper()
		sampleOf(t, b, func(s Sample) error {
			if f, ok := s.follower(Sign); !ok || f.Behind != want {
				return fmt.Errorf("%+v, want %d behind", s.Followers, want)
			}
			return nil
		})
	}
	for i := range 3 {
		if _, err := b.Publish(ctx, commitSubject(testBatch, i), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	behind(3)
	stream, err := b.js.Stream(ctx, b.names.stream(Sign))
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
	if err := b.js.DeleteStream(ctx, b.names.stream(Sign)); err != nil {
		t.Fatal(err)
	}
	if err := b.Restore(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(ctx, commitSubject(testBatch, 0), nil, nil); err != nil {
		t.Fatal(err)
	}
	behind(0)
}

func TestLagging(t *testing.T) {
	tests := []struct {
		name      string
		followers []FollowerState
		want      string
	}{
		{"nobody follows", nil, ""},
		{"not behind", []FollowerState{{Keys, 0, 0}, {Work, 0, 0}}, ""},
		{"a burst", []FollowerState{{Keys, 100000, 30 * time.Second}}, ""},
		{"behind", []FollowerState{{Work, 1, time.Second}, {Keys, 12000, 45 * time.Second}}, "KEYS is read 12000 messages and 45 s behind its end"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b Bus
			b.sampled.Store(&taken{Sample: Sample{At: time.Now(), Followers: test.followers}, every: time.Minute})
			if err := b.Lagging(); (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
