package client

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// waitingFor is a client without a connection that waits for so many jobs.
func waitingFor(t *testing.T, n int) *Client {
	t.Helper()
	c := &Client{waiting: waiting{jobs: map[string][]*pending{}}, log: slog.New(slog.DiscardHandler)}
	c.closed, c.end = context.WithCancel(t.Context())
	for i := range n {
		c.await(t, fmt.Sprint("job", i), time.Hour)
	}
	return c
}

func (c *Client) await(t *testing.T, id string, life time.Duration) *pending {
	t.Helper()
	p, err := c.register(&prepared{job: wire.Job{ID: id, Expires: time.Now().Add(life)}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestManyWait: a result costs what it costs, however many callers wait for others.
func TestManyWait(t *testing.T) {
	perResult := func(n int) uint64 {
		c := waitingFor(t, n)
		return allocated(func() {
			for range 100 {
				c.onResult(&nats.Msg{Subject: "frost.stub.result.alice.none"})
			}
		})
	}
	if few, many := perResult(10), perResult(20_000); many > few+100_000 {
		t.Errorf("100 results take %d bytes where 20,000 jobs are waited for, and %d where 10 are", many, few)
	}
}

// TestWaiting: two may wait for one job, and who abandoned a job does not wait for ever.
func TestWaiting(t *testing.T) {
	c := waitingFor(t, 1)
	one, two := c.await(t, "twice", time.Hour), c.await(t, "twice", time.Hour)
	if all := c.waiting.of("twice"); len(all) != 2 || all[0] != one || all[1] != two {
		t.Errorf("%v wait", all)
	}
	c.unregister(one)
	c.unregister(one)
	if all := c.waiting.of("twice"); len(all) != 1 || all[0] != two {
		t.Errorf("%v wait", all)
	}
	c.unregister(two)
	c.await(t, "abandoned", -time.Hour)
	c.waiting.swept = time.Now().Add(-2 * sweepEvery)
	c.await(t, "next", time.Hour)
	if n := c.registered(); n != 2 || len(c.waiting.of("abandoned")) != 0 {
		t.Errorf("%d jobs are waited for, and one that was abandoned: %v", n, c.waiting.of("abandoned"))
	}
}

// allocated is how much memory f allocates, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
