package bus

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// A program that starts while the streams in memory are not there yet waits for
// them, and no longer than it is told to.
func TestFollowWaitsForTheStream(t *testing.T) {
	var log logSink
	b := connectTest(t, startTest(t, t.TempDir(), -1).URL(), func(o *Options) { o.Logger = log.logger() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.FollowToEnd(ctx, t.Context(), Sign, 1, new(collector).options()); err == nil {
		t.Fatal("follows what is not there")
	}
	began := make(chan error, 1)
	go func() {
		f, err := b.FollowToEnd(testContext(t), testContext(t), Sign, 1, new(collector).options())
		if err == nil {
			f.Stop()
		}
		if _, errID := b.StreamID(testContext(t), Sign); errID != nil {
			err = fmt.Errorf("%w, %w", err, errID)
		}
		began <- err
	}()
	eventually(t, "waiting", func() error {
		if len(began) > 0 || !strings.Contains(log.String(), "does not answer") {
			return fmt.Errorf("%d ended, logged %q", len(began), log.String())
		}
		return nil
	})
	if err := b.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-began; err != nil {
		t.Error(err)
	}
}
