package gateway

import (
	"context"
	"errors"
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

// TestKeysEndIsCut: the leader of KEYS says where it ends, and loses the last of that with
// its power before the gateway has read it. Jobs for unknown keys do not wait for it.
func TestKeysEndIsCut(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const have = 950
	answers := []func() (uint64, error){
		func() (uint64, error) { return 0, errors.New("no leader") },
		func() (uint64, error) { return 1000, nil },
		func() (uint64, error) { return 0, errors.New("it starts") },
		func() (uint64, error) { return have, nil },
	}
	end := func() (uint64, error) {
		f := answers[0]
		answers = answers[1:]
		return f()
	}
	if err := untilRead(ctx, end, func(last uint64) bool { return last <= have }); err != nil || len(answers) > 0 {
		t.Errorf("%v, %d answers not asked for", err, len(answers))
	}
}
