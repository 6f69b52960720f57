package bus

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestResultsTogether: a gateway with the permissions of production stores many results at
// about the same time. Each is stored once and announced to its client, also those that came
// in one batch; whose place is taken is told so.
func TestResultsTogether(t *testing.T) {
	url, seeds := production(t, func(*server.Options) {})
	admin := connectAs(t, url, seeds["administrator"], "administrator")
	if err := admin.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	gateway := connectAs(t, url, seeds["gateway-a"], "gateway-a")
	client := connectAs(t, url, seeds["client-alice"], "client-alice")
	const count = 1000
	heard := make(map[string]int)
	var mu sync.Mutex
	sub := must[*nats.Subscription](t)(client.nc.Subscribe("frost.main.result.alice.*", func(m *nats.Msg) {
		mu.Lock()
		heard[string(m.Data)]++
		mu.Unlock()
	}))
	if err := client.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.Publish(testContext(t), "res.alice.7", []byte("7"), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	follows := new(collector)
	follower := must[*Follower](t)(gateway.Follow(testContext(t), Results, 1, follows.options()))
	t.Cleanup(follower.Stop)
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() {
			_, err := gateway.Publish(ctx, fmt.Sprint("res.alice.", i), fmt.Append(nil, i), map[string][]string{"A": {"b"}})
			if taken := outcome(err) == "exists"; taken != (i == 7) || err != nil && !taken {
				t.Errorf("result %d: %v", i, err)
			}
		})
	}
	all.Wait()
	eventually(t, "announcements", func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(heard) != count {
			return fmt.Errorf("%d of %d results are announced", len(heard), count)
		}
		return nil
	})
	_ = sub.Unsubscribe()
	checkGapless(t, follows.waitFor(t, count), 1)
	stream := must[jetstream.Stream](t)(admin.nc.JS.Stream(testContext(t), "FROST_MAIN_RESULTS"))
	if n := stream.CachedInfo().State.Msgs; n != count {
		t.Errorf("%d results are stored", n)
	}
	batched := 0
	for seq := range uint64(count) {
		m := must[*jetstream.RawStreamMsg](t)(stream.GetMsg(testContext(t), seq+1))
		if m.Header.Get("Nats-Batch-Id") != "" {
			batched++
		}
	}
	if batched == 0 {
		t.Error("none came in a batch")
	}
	got, found, err := gateway.Last(testContext(t), Results, "res.alice.999")
	if err != nil || !found || string(got.Data) != "999" || len(got.Header) != 1 {
		t.Errorf("a result is read as %+v: %v", got, err)
	}
	mu.Lock()
	defer mu.Unlock()
	for result, times := range heard {
		if times != 1 {
			t.Errorf("result %s is announced %d times", result, times)
		}
	}
}
