package bus

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
)

// TestReconnectsLeaveNothing: followers and consumers that live through many
// reconnections hold what they held before, and miss nothing.
func TestReconnectsLeaveNothing(t *testing.T) {
	const times = 40
	b, _ := newTestBus(t)
	for _, stream := range []Stream{Keys, Work, Sign, DeadLetter} {
		lost := func(err error) { t.Error(err) }
		if _, err := b.Follow(testContext(t), stream, 0, FollowOptions{Handler: func(Message) {}, Lost: lost}); err != nil {
			t.Fatal(err)
		}
	}
	consume(t, b, Jobs, GatewaysDurable("sign"), 64, func(d Delivery) {
		for d.Ack(testContext(t)) != nil { // lost with a connection
		}
	})
	again := func() {
		before := b.nc.Stats().Reconnects
		if err := b.nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a connection", func() error {
			if b.nc.Stats().Reconnects == before || b.Healthy() != nil {
				return errors.New("none yet")
			}
			return nil
		})
	}
	again()
	noneLeft(t, b)
	goroutines, subs := runtime.NumGoroutine(), b.nc.NumSubscriptions()
	for i := range times {
		again()
		if _, err := b.Publish(testContext(t), fmt.Sprintf("job.sign.c%d", i), []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	noneLeft(t, b)
	eventually(t, "what is held is what was held", func() error {
		// Between two requests for jobs there is one subscription less.
		if g, s := runtime.NumGoroutine(), b.nc.NumSubscriptions(); g > goroutines+times/4 || s > subs+2 {
			return fmt.Errorf("%d goroutines and %d subscriptions, before %d and %d", g, s, goroutines, subs)
		}
		return nil
	})
}
