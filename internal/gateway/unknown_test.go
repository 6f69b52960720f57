package gateway

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Keys that do not exist cost the leader of KEYS a few questions a second, however many
// jobs ask for them, and each job is told so.
func TestUnknownKeysAskTogether(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int32
	count := func(*nats.Msg) { asked.Add(1) }
	if _, err := w.Bus.Conn().Subscribe("$JS.API.STREAM.INFO.FROST_TEST_KEYS", count); err != nil {
		t.Fatal(err)
	}
	w.start()
	began := time.Now()
	before := asked.Load()
	const jobs = 64
	for i := range jobs {
		job, _ := w.Job(wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{{
			Key: fmt.Sprintf("%032x.%d", i, i), Message: []byte("of a key that nobody has"),
		}}}, 5*time.Minute)
		w.Publish(job)
	}
	for range jobs {
		if r := w.Result(""); r.Code != wire.CodeUnknownKey {
			t.Errorf("a job ended with %q: %s", r.Code, r.Error)
		}
	}
	// Four a second, and what the follower of KEYS asks while it hears nothing.
	most := 4 + 6*time.Since(began).Seconds()
	if n := asked.Load() - before; n == 0 || float64(n) > most {
		t.Errorf("%d questions, want 1 to %.0f", n, most)
	}
}
