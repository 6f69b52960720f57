package worker

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/presence"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/freeport"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// second makes another process of the same node: on another disk, with a connection of
// its own.
func (w *world) second() *Worker {
	w.Helper()
	cfg := w.config()
	cfg.Storage = filepath.Join(w.TempDir(), "data")
	node, err := New(w.Context(), cfg)
	if err != nil {
		w.Fatal(err)
	}
	return node
}

// TestOneProcessAnIndex: of two processes with one index, the one that came later ends
// and says which other there is. The first signs on.
func TestOneProcessAnIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	first, _ := w.startNode()
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]

	second := w.second()
	err := second.Run(t.Context())
	var twin *presence.TwinError
	if !errors.As(err, &twin) || !strings.Contains(err.Error(), "another process runs under presence.node.0 (host ") {
		t.Fatalf("the second process ended with %v", err)
	}
	if second.Ready() == nil || first.Ready() != nil {
		t.Errorf("ready: second %v, first %v", second.Ready(), first.Ready())
	}
	w.sign(key)
	said, found, err := w.Bus.Last(t.Context(), bus.Presence, w.Manifest.TwinPresence(0))
	if err != nil || !found {
		t.Fatalf("the second process told nobody: %v", err)
	}
	if _, _, err := wire.NewOpener(w.Manifest, w.Access).Heartbeat(wire.LogMessage{
		Subject: said.Subject, Seq: said.Seq, Time: said.Time, Data: said.Data}); err != nil {
		t.Errorf("what it said: %v", err)
	}
}

// TestLostSwapEndsTheProcess: a process that was away while another one took its place
// ends at its next heartbeat, before it publishes anything else.
func TestLostSwapEndsTheProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, r := w.startNode()
	last, _, err := w.Bus.Last(t.Context(), bus.Presence, w.Manifest.NodePresence(0))
	if err != nil {
		t.Fatal(err)
	}
	// Another process with this node's device swaps, however often this one is quicker.
	other := w.second()
	defer func() { _ = other.Close() }()
	if _, err := other.sessions.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	for after := last.Seq; ; {
		h := wire.Heartbeat{Version: 1, Boot: [16]byte{1}, After: after, Manifest: w.Manifest.Hash(), Host: "elsewhere"}
		sealed, err := other.sessions.sealHeartbeat(w.Manifest.NodePresence(0), wire.Encode(&h))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.Bus.Swap(t.Context(), w.Manifest.NodePresence(0), sealed, after); err == nil {
			break
		}
		if last, _, err = w.Bus.Last(t.Context(), bus.Presence, w.Manifest.NodePresence(0)); err != nil {
			t.Fatal(err)
		}
		after = last.Seq
	}
	if err := r.Wait(); err == nil || !strings.Contains(err.Error(), `host "elsewhere"`) {
		t.Fatalf("the process ended with %v", err)
	}
	if node.twin.Load() == nil {
		t.Error("it does not know why")
	}
}

// TestLostLeaseEndsAtOnce: a process that lost its lease waits for nothing that it has under
// way, such as messages that no session key seals any more.
func TestLostLeaseEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, r := w.startNode()
	cut := make(chan struct{})
	node.run.Go(func() { <-node.run.Life().Done(); close(cut) })
	node.lost(&presence.TwinError{Subject: w.Manifest.NodePresence(0)})
	if node.run.Life().Err() == nil {
		t.Error("it drains first")
	}
	<-cut
	if err := r.Wait(); !errors.As(err, new(*presence.TwinError)) {
		t.Errorf("it ended with %v", err)
	}
}

// TestLostLeaseSealsNothing: from the moment that a process knows of another one, nothing
// of it is sealed, and what was sealed before does not go out; the device is asked for
// no new session key.
func TestLostLeaseSealsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, r := w.startNode()
	_, authorized, err := node.sessions.seal(t.Context(), "dkg.x", nil)
	if err != nil {
		t.Fatal(err)
	}
	calls := w.Provider.Calls()
	node.lost(&presence.TwinError{Subject: w.Manifest.NodePresence(0)})
	if _, _, err := node.sessions.seal(ended(t), "dkg.x", nil); err == nil {
		t.Error("it still seals")
	}
	if authorized.Err() == nil {
		t.Error("what was sealed before may still go out")
	}
	node.renew(t.Context())
	if renewed, _ := node.sessions.renew(t.Context()); renewed || !node.sessions.silent() {
		t.Error("it takes a new session key")
	}
	if w.Provider.Calls() > calls+1 { // one is the test's own
		t.Error("the device was asked")
	}
	if err := r.Wait(); err == nil {
		t.Error("the process goes on")
	}
}

func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestRestartTakesTheLease: after an orderly end the next process does not wait, and
// after a death without a word it waits no longer than presence.TakeOver. Meanwhile it
// says nothing for the node.
func TestRestartTakesTheLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, r := w.startNode()
	r.Stop()
	before, _, err := w.Bus.Last(t.Context(), bus.Presence, w.Manifest.NodePresence(0))
	if err != nil {
		t.Fatal(err)
	}
	node, r := w.startNode()
	if took := w.Lines.Count("waiting " + presence.TakeOver.String()); took != 0 {
		t.Error("after an orderly end the next process waits")
	}
	// A death: the last heartbeat is put back, as the newest, under a boot of its own.
	h := wire.Heartbeat{Version: 1, Boot: [16]byte{1}, Manifest: w.Manifest.Hash(), Host: "dead"}
	sealed, err := node.sessions.sealHeartbeat(w.Manifest.NodePresence(0), wire.Encode(&h))
	if err != nil {
		t.Fatal(err)
	}
	r.Stop()
	if before.Seq == 0 {
		t.Fatal("no heartbeat")
	}
	if _, err := w.Bus.Publish(t.Context(), w.Manifest.NodePresence(0), sealed, nil); err != nil {
		t.Fatal(err)
	}
	next, err := New(t.Context(), w.config())
	if err != nil {
		t.Fatal(err)
	}
	machinetest.Run(w, next.Run)
	eventually(t, "it says whom it waits for", func() bool {
		err := next.Ready()
		return err != nil && strings.Contains(err.Error(), `host "dead"`)
	})
	if !next.sessions.silent() {
		t.Error("it speaks while it waits")
	}
	eventually(t, "the node is ready", func() bool { return next.Ready() == nil })
}

// TestOutageEndsNobody: a node that reaches no NATS server for longer than it takes to
// lose a lease goes on when the server is back, which forgot the lease.
func TestOutageEndsNobody(t *testing.T) {
	t.Parallel()
	config := natsserver.Config{StoreDir: t.TempDir(), Port: freeport.New(t)}
	w := newWorldOn(t, config)
	w.startGateway()
	node, _ := w.startNode()
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	w.Server.Shutdown()
	eventually(t, "the bus is away", func() bool { return w.Bus.Healthy() != nil })
	time.Sleep(presence.TakeOver + time.Second)
	var err error
	if w.Server, err = natsserver.Start(config); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node is back", func() bool { return node.Ready() == nil && w.Bus.Healthy() == nil })
	w.sign(key)
	if node.twin.Load() != nil {
		t.Error("it holds itself for two")
	}
}

// TestHeartbeatsOfAnEarlierStream: a server that restarts forgets PRESENCE and counts
// from one again. Who then republishes what an earlier process of the node said there
// ends neither the process that runs nor one that starts.
func TestHeartbeatsOfAnEarlierStream(t *testing.T) {
	t.Parallel()
	config := natsserver.Config{StoreDir: t.TempDir(), Port: freeport.New(t)}
	w := newWorldOn(t, config)
	w.startGateway() // creates the stream again
	subject := w.Manifest.NodePresence(0)
	store := func(subject string, data []byte) {
		if _, err := w.Bus.Publish(t.Context(), subject, data, nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 { // so that the new stream does not get as far
		store(wire.GatewayPresence("other"), nil)
	}
	_, r := w.startNode()
	var old [][]byte
	for range 2 {
		last, _, err := w.Bus.Last(t.Context(), bus.Presence, subject)
		if err != nil {
			t.Fatal(err)
		}
		old = append(old, last.Data)
		eventually(t, "the next heartbeat", func() bool {
			next, _, err := w.Bus.Last(t.Context(), bus.Presence, subject)
			return err == nil && next.Seq > last.Seq
		})
	}
	r.Stop()
	w.Server.Shutdown()
	var err error
	if w.Server, err = natsserver.Start(config); err != nil {
		t.Fatal(err)
	}
	eventually(t, "PRESENCE is back", func() bool {
		_, _, err := w.Bus.Last(t.Context(), bus.Presence, subject)
		return err == nil && w.Bus.Healthy() == nil
	})
	store(subject, old[0])
	next, err := New(t.Context(), w.config())
	if err != nil {
		t.Fatal(err)
	}
	machinetest.Run(w, next.Run)
	for next.Ready() != nil {
		if err := next.twin.Load(); err != nil {
			t.Fatalf("the process that starts ended with %v", err)
		}
		time.Sleep(100 * time.Millisecond)
		store(subject, old[1])
		store(subject, old[0])
	}
	for range 10 {
		store(subject, old[1])
		time.Sleep(presence.Every / 4)
	}
	if err := next.twin.Load(); err != nil {
		t.Errorf("the process that runs ended with %v", err)
	}
}
