package gateway

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// changing is a 2-of-3 fleet whose nodes are what a test publishes, and the fleets that may
// follow it, on a real bus.
type changing struct {
	*testing.T
	*wiretest.Fleet
	bus   *bus.Bus
	keys  map[string]ed25519.PrivateKey // of gateways
	lines machinetest.Lines
	beats map[string]uint64 // sequence of the last heartbeat of a subject
	seen  machinetest.Observer
}

func newChanging(t *testing.T) *changing {
	t.Helper()
	c := &changing{T: t, Fleet: wiretest.New(t, 2, 3, nil), keys: map[string]ed25519.PrivateKey{}, beats: map[string]uint64{}}
	list := map[string]ed25519.PublicKey{}
	for _, name := range []string{"g0", "g1", "g2"} {
		public, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		c.keys[name], list[name] = key, public
	}
	var err error
	if c.Access, err = wire.NewAccess(nil, list); err != nil {
		t.Fatal(err)
	}
	server, err := natsserver.Start(natsserver.Config{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	c.bus, err = bus.Connect(t.Context(), bus.Options{Fleet: "test", Nodes: 3, Name: "test", Embedded: server, RestoreMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.bus.Close(context.Background()) })
	if err := c.bus.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range c.Sessions {
		c.Sessions[i] = c.NewSession(i, time.Now())
	}
	return c
}

// gateway runs one that is configured with a manifest until stop, with what KEYS has now.
func (c *changing) gateway(name string, m *wire.Manifest) (g *Gateway, stop func()) {
	c.Helper()
	l, err := register.Lineage(c.Context(), c.bus, m)
	if err != nil {
		c.Fatal(err)
	}
	g = New(Config{
		Manifest: m, Lineage: l, Access: c.Access, Name: name, Key: c.keys[name], Bus: c.bus, Observe: &c.seen,
		Log: slog.New(slog.NewTextHandler(&c.lines, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	stop = sync.OnceFunc(machinetest.Run(c, g.Run).Stop)
	c.Cleanup(stop)
	eventually(c, "the gateway is ready", func() bool { return g.Ready() == nil })
	return g, stop
}

// beat says twice that a node of a fleet is there, and what it approves: the first one begins
// the chain.
func (c *changing) beat(f *wiretest.Fleet, node int, approval *wire.SuccessorApproval) {
	c.Helper()
	subject := f.Manifest.NodePresence(node)
	for range 2 {
		body := wire.Encode(&wire.Heartbeat{
			Version: wire.HeartbeatVersion, Boot: [16]byte{1}, After: c.beats[subject], Manifest: f.Manifest.Hash(), Build: "v1",
			Host: "h", Pid: 1, Approval: approval,
		})
		seq, err := c.bus.Publish(c.Context(), subject, f.Sessions[node].Seal(f.Manifest, subject, body), nil)
		if err != nil {
			c.Fatal(err)
		}
		c.beats[subject] = seq
	}
}

// propose puts a manifest into KEYS.
func (c *changing) propose(m *wire.Manifest) {
	c.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		c.Fatal(err)
	}
	if _, err := c.bus.Publish(c.Context(), wire.ManifestSubject(m.Hash()), data, nil); err != nil {
		c.Fatal(err)
	}
}

// successions are those that stand in KEYS and are none of a test's junk.
func (c *changing) successions() (all []bus.Message) {
	c.Helper()
	messages, err := c.bus.Slots(c.Context(), bus.Keys, wire.Successions)
	if err != nil {
		c.Fatal(err)
	}
	for _, m := range messages {
		if string(m.Data) != "junk" {
			all = append(all, m)
		}
	}
	return all
}

// TestSuccessionFromHeartbeats: nodes approve a manifest in their heartbeats, a gateway puts what
// follows of that into KEYS, and every gateway goes by it: one that runs, one that starts, and
// one that is configured with the next manifest.
func TestSuccessionFromHeartbeats(t *testing.T) {
	t.Parallel()
	c := newChanging(t)
	next := c.Next(t, 2, 4)
	for i := range next.Sessions {
		next.Sessions[i] = next.NewSession(i, time.Now())
	}
	first, stop := c.gateway("g0", c.Manifest)
	other, stopOther := c.gateway("g1", c.Manifest)
	subject := wire.SuccessionSubject(next.Manifest.Hash())
	if _, err := c.bus.Publish(t.Context(), subject, []byte("junk"), nil); err != nil { // it keeps nobody out
		t.Fatal(err)
	}
	c.propose(next.Manifest)
	for node := range 2 {
		c.beat(c.Fleet, node, c.Approve(node, next.Manifest, false))
	}
	eventually(t, "both are heard", func() bool {
		nodes := first.Manifests()[0].Nodes
		return nodes[0].Last != nil && nodes[1].Last != nil
	})
	if len(c.successions()) > 0 || len(first.Lineage().Chain()) > 1 {
		t.Fatal("two of three nodes are a quorum")
	}
	c.beat(c.Fleet, 2, c.Approve(2, next.Manifest, false))
	for _, g := range []*Gateway{first, other} {
		eventually(t, "the gateway goes by the next manifest", func() bool { return g.Lineage().Newest().Hash() == next.Manifest.Hash() })
	}
	proofs := c.successions()
	if len(proofs) != 1 || proofs[0].Subject != subject {
		t.Fatalf("KEYS has %d successions", len(proofs))
	}
	if m, err := wire.OpenSuccession(proofs[0].Data, c.Manifest); err != nil || m.Hash() != next.Manifest.Hash() {
		t.Errorf("%v", err)
	}

	// Its nodes are needed once they are there, and those of now as long as that is not so.
	if all := first.Manifests(); len(all) != 1 || all[0].Manifest != c.Manifest {
		t.Errorf("%d manifests before a node of the next one is heard", len(all))
	}
	for node := range 4 {
		c.beat(next, node, nil)
	}
	eventually(t, "keys are generated under the next manifest", func() bool {
		all := first.Manifests()
		return len(all) == 1 && all[0].Manifest.Hash() == next.Manifest.Hash() && all[0].Nodes[3].Last != nil
	})
	for _, n := range first.Manifests()[0].Nodes {
		if n.Foreign {
			t.Error("a heartbeat of another epoch's node is foreign")
		}
	}
	stop()
	stopOther()

	// The streams of the node that is new were not made yet: that stops no gateway.
	second, stop := c.gateway("g2", c.Manifest)
	if l := second.Lineage(); l.Newest().Hash() != next.Manifest.Hash() || len(c.successions()) != 1 {
		t.Errorf("it starts with %d manifests, KEYS has %d successions", len(l.Chain()), len(c.successions()))
	}
	if err := c.bus.Apply(t.Context()); err != nil { // of four nodes, by now
		t.Fatal(err)
	}
	eventually(t, "the new node's rounds are followed", func() bool {
		for _, f := range c.bus.Followers() {
			if f.Stream() == bus.RoundsOf(3) {
				return true
			}
		}
		return false
	})
	stop()
	later, _ := c.gateway("g0", next.Manifest)
	if l := later.Lineage(); len(l.Chain()) != 2 || l.Manifest(c.Manifest.Hash()) == nil || l.Pinned() != next.Manifest {
		t.Errorf("configured with the next manifest it goes by %d", len(l.Chain()))
	}
}

// TestForkIsTold: two manifests were approved by force. The gateway says so, moves no keys, and
// goes on.
func TestForkIsTold(t *testing.T) {
	t.Parallel()
	c := newChanging(t)
	one, two := c.Next(t, 2, 3), c.Next(t, 2, 3)
	g, _ := c.gateway("g0", c.Manifest)
	for _, next := range []*wiretest.Fleet{one, two} {
		if _, err := c.bus.Publish(t.Context(), wire.SuccessionSubject(next.Manifest.Hash()),
			c.Succession(next.Manifest, true, 0, 1), nil); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the gateway tells", func() bool {
		return g.Lineage().Fork() != nil && c.seen.Reported(protocol.ReportFork) &&
			strings.Contains(g.Resharing().Blocked, "two successors")
	})
	if g.Ready() != nil {
		t.Errorf("a fork takes the gateway's readiness: %v", g.Ready())
	}
}

// TestAsksEachManifestsNodes: what nodes hold is asked of the nodes of each manifest, where those
// listen.
func TestAsksEachManifestsNodes(t *testing.T) {
	t.Parallel()
	c := newChanging(t)
	next := c.Next(t, 2, 3)
	for i := range next.Sessions {
		next.Sessions[i] = next.NewSession(i, time.Now())
	}
	var mu sync.Mutex
	asked := map[string]bool{}
	if _, err := c.bus.Conn().Subscribe(wire.FleetSubject("test", "ask.>"), func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		asked[strings.TrimPrefix(m.Subject, wire.FleetSubject("test", ""))] = true
	}); err != nil {
		t.Fatal(err)
	}
	if err := register.StoreLineage(t.Context(), c.bus, wire.NewLineage(c.Manifest)); err != nil {
		t.Fatal(err)
	}
	l, err := wire.NewLineage(c.Manifest).WithSuccession(c.Succession(next.Manifest, false))
	if err != nil {
		t.Fatal(err)
	}
	if err := register.StoreLineage(t.Context(), c.bus, l); err != nil {
		t.Fatal(err)
	}
	c.gateway("g0", c.Manifest)
	for _, m := range []*wire.Manifest{c.Manifest, next.Manifest} {
		eventually(t, "the nodes of each manifest are asked", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return asked[m.AskSubject(0)] && asked[m.AskSubject(2)]
		})
	}
}

// TestEntryOfALaterGeneration: an entry by the nodes of the next manifest is stored beside the
// one that it follows.
func TestEntryOfALaterGeneration(t *testing.T) {
	t.Parallel()
	c := newChanging(t)
	next := c.Next(t, 2, 4)
	l, err := wire.NewLineage(c.Manifest).WithSuccession(c.Succession(next.Manifest, false))
	if err != nil {
		t.Fatal(err)
	}
	if err := register.StoreLineage(t.Context(), c.bus, l); err != nil {
		t.Fatal(err)
	}
	h := wire.BatchHeader{Suite: 1, K: 2, Client: "client0"}
	var deals [][]byte
	for i := range c.Manifest.N {
		deals = append(deals, c.Deal(h, 8+i))
	}
	founding, err := register.NewEntry(l, c.Entry(h, deals), deals)
	if err != nil {
		t.Fatal(err)
	}
	g, _ := c.gateway("g0", c.Manifest)
	r := c.Reshare(founding.Entry, next.Manifest, 3)
	later := wiretest.ReshareDeals(r, 8)
	g.writeEntry(protocol.WriteEntry{ID: founding.ID, Generation: 3, Head: next.Later(r, founding.Keys, later), Deals: later})
	messages, err := c.bus.Slots(t.Context(), bus.Keys, "entry.>")
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) != 1+len(later) || messages[0].Subject != wire.EntryHeadSubject(founding.ID, 3) {
		t.Fatalf("KEYS has %d messages", len(messages))
	}
	e, err := wire.VerifyEntry(messages[0].Data, g.Lineage())
	if err != nil || e.Generation != 3 || e.ID != founding.ID {
		t.Errorf("%v, %v", e, err)
	}
}
