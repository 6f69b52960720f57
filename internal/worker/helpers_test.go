package worker

import (
	"crypto/ed25519"
	"log/slog"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/gateway"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

func TestMain(m *testing.M) { machinetest.Main(m) }

var eventually = machinetest.Eventually

// world is a fleet: a node, and a gateway to give it work.
type world struct{ *machinetest.Fleet }

func newWorld(t testing.TB) *world { return &world{machinetest.New(t, Card)} }

func newWorldOn(t testing.TB, server natsserver.Config) *world {
	return &world{machinetest.NewOn(t, Card, server)}
}

// harden is how a test's node stands to its device: as in production, but less
// patient.
func harden(p keyprovider.Provider) *keyprovider.Supervised {
	return keyprovider.Supervise(p, keyprovider.Policy{Cooldown: 50 * time.Millisecond}, nil)
}

func (w *world) config() Config {
	return Config{
		Manifest: w.Manifest, Access: w.Access, Storage: w.Storage, Provider: harden(w.Provider),
		Bus: w.Bus, Observe: &w.Seen, Log: w.Logger(),
	}
}

// startNode runs the node and returns when it is ready.
func (w *world) startNode() (*Worker, *machinetest.Program) {
	w.Helper()
	node, err := New(w.Context(), w.config())
	if err != nil {
		w.Fatal(err)
	}
	r := machinetest.Run(w, node.Run)
	eventually(w, "the node is ready", func() bool { return node.Ready() == nil })
	return node, r
}

func (w *world) startGateway() {
	w.Helper()
	g := gateway.New(gateway.Config{
		Manifest: w.Manifest, Access: w.Access, Name: machinetest.Gateway, Key: w.GatewayKey, Bus: w.Bus,
		Observe: &machinetest.Observer{}, Log: slog.New(slog.DiscardHandler),
	})
	machinetest.Run(w, g.Run)
	eventually(w, "the gateway is ready", func() bool { return g.Ready() == nil })
}

// publish leaves a job.
func (w *world) publish(j wire.Job) {
	w.Helper()
	job, _ := w.Job(j, 10*time.Minute)
	w.Publish(job)
}

// result waits for a job's good end.
func (w *world) result() *wire.Result {
	w.Helper()
	r := w.Result("")
	if r.Status != wire.StatusDone {
		w.Fatalf("job ended with %s: %s", r.Code, r.Error)
	}
	return r
}

// sign has one message signed.
func (w *world) sign(key wire.Key) {
	w.Helper()
	message := []byte("a message")
	w.publish(wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{{Key: key.ID, Message: message}}})
	r := w.result()
	if len(r.Sigs) != 1 || !ed25519.Verify(ed25519.PublicKey(key.PublicKey), message, r.Sigs[0].Signature) {
		w.Fatal("the signature does not verify under the generated key")
	}
}
