package gateway

import (
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

func TestMain(m *testing.M) { machinetest.Main(m) }

var eventually = machinetest.Eventually

// world is a fleet with a gateway and a client, and no node unless a test starts
// one: jobs stay in work.
type world struct{ *machinetest.Fleet }

func newWorld(t testing.TB) *world { return &world{machinetest.New(t, worker.Card)} }

func (w *world) config() Config {
	return Config{
		Manifest: w.Manifest, Access: w.Access, Name: machinetest.Gateway, Key: w.GatewayKey, Bus: w.Bus,
		Observe: &w.Seen, Log: w.Logger(),
	}
}

// start runs a gateway until stop or the test's end.
func (w *world) start() (g *Gateway, stop func()) {
	w.Helper()
	return w.startWith(func(*Config) {})
}

// startWith is start of a gateway with another configuration.
func (w *world) startWith(change func(*Config)) (g *Gateway, stop func()) {
	w.Helper()
	cfg := w.config()
	change(&cfg)
	g = New(cfg)
	if g.Ready() == nil {
		w.Fatal("a gateway that does not run says that it is ready")
	}
	r := machinetest.Run(w, g.Run)
	stop = sync.OnceFunc(func() {
		r.Stop()
		if g.Ready() == nil {
			w.Error("a stopped gateway says that it is ready")
		}
	})
	w.Cleanup(stop)
	eventually(w, "the gateway is ready", func() bool { return g.Ready() == nil })
	return g, stop
}

// startNode runs the fleet's one node until stop or the test's end.
func (w *world) startNode() (stop func()) {
	w.Helper()
	node, err := worker.New(w.Context(), worker.Config{
		Manifest: w.Manifest, Access: w.Access, Storage: w.Storage, Bus: w.Bus,
		Provider: keyprovider.Supervise(w.Provider, keyprovider.Policy{}, nil),
		Observe:  &machinetest.Observer{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.Fatal(err)
	}
	stop = sync.OnceFunc(machinetest.Run(w, node.Run).Stop)
	w.Cleanup(stop)
	return stop
}

// newJob is a signed keygen job that expires after a time.
func (w *world) newJob(life time.Duration) (wire.SignedJob, string) {
	w.Helper()
	return w.Job(machinetest.Keygen(), life)
}

// letters reads the dead letters.
func (w *world) letters() (letters []wire.DeadLetter) {
	w.Helper()
	messages, err := w.Bus.Slots(w.Context(), bus.DeadLetter, "dead.>")
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range messages {
		var l wire.DeadLetter
		if err := json.Unmarshal(m.Data, &l); err != nil {
			w.Fatal(err)
		}
		letters = append(letters, l)
	}
	return letters
}

// open counts the messages that nobody acknowledged.
func (w *world) open() int {
	w.Helper()
	messages, err := w.Bus.Slots(w.Context(), bus.Jobs, "job.>")
	if err != nil {
		w.Fatal(err)
	}
	return len(messages)
}

// take is another gateway's consumer: it hands over deliveries and leaves
// them to the test.
func (w *world) take(n int) []bus.Delivery {
	w.Helper()
	got := make(chan bus.Delivery, 64)
	c, err := w.Bus.Consume(w.Context(), bus.Jobs, bus.GatewaysDurable("keygen"), n,
		func(d bus.Delivery) { got <- d })
	if err != nil {
		w.Fatal(err)
	}
	defer c.Stop()
	var all []bus.Delivery
	for range n {
		select {
		case d := <-got:
			all = append(all, d)
		case <-time.After(machinetest.WaitLimit):
			w.Fatalf("%d of %d deliveries within %s", len(all), n, machinetest.WaitLimit)
		}
	}
	return all
}
