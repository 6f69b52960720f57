package bus

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// TestStreamsOfTheReleaseBeforeAndWorse: that a stream lacks what this release has added excuses
// nothing else, and what is published to such a subject is an error, not a loss.
func TestStreamsOfTheReleaseBeforeAndWorse(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	stream := b.names.stream(Keys)
	good := must[*jetstream.StreamConfig](t)(b.streamConfig(ctx, stream))
	old := *good
	old.Subjects = slices.DeleteFunc(slices.Clone(good.Subjects), func(s string) bool {
		return s == b.names.prefix+"succession.*"
	})
	if _, err := b.nc.JS.UpdateStream(ctx, old); err != nil {
		t.Fatal(err)
	}
	if err := b.CheckServing(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := b.nc.JS.Publish(ctx, b.names.prefix+"succession."+"00", []byte("x"), jetstream.WithRetryAttempts(1)); err == nil {
		t.Error("what no stream stores was published")
	}
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"forgets":          func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"drops the oldest": func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld; c.DiscardNewPerSubject = false },
		"takes more":       func(c *jetstream.StreamConfig) { c.Subjects = append(slices.Clone(c.Subjects), "frost.other.x") },
		"takes less":       func(c *jetstream.StreamConfig) { c.Subjects = c.Subjects[1:] },
	} {
		bad := old
		change(&bad)
		if _, err := b.nc.JS.UpdateStream(ctx, bad); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b.CheckServing(ctx) == nil || b.CheckStreams(ctx) == nil {
			t.Errorf("%s: programs start", name)
		}
		if _, err := b.nc.JS.UpdateStream(ctx, old); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}
