package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/machine"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/freeport"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// TestLife: a node deals, certifies and signs, restarts from its keystore
// without reading its batches again, and rebuilds a lost keystore from the log.
func TestLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, r := w.startNode()
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	w.sign(key)
	if batches, keys, dealing, nonces := node.Stats(); batches != 1 || keys != 1 || dealing != 0 || nonces != 0 {
		t.Errorf("the node holds %d batches, %d keys, %d under way, %d nonces", batches, keys, dealing, nonces)
	}
	r.Stop()
	if node.Ready() == nil {
		t.Error("a stopped node says that it is ready")
	}

	node, r = w.startNode()
	if _, from, err := node.store.Cursor(); err != nil || from < 3 {
		t.Errorf("cursor %d, %v: the batch is read again", from, err)
	}
	w.sign(key)
	r.Stop()

	if err := os.RemoveAll(w.Storage); err != nil {
		t.Fatal(err)
	}
	node, r = w.startNode()
	eventually(t, "the key is rebuilt", func() bool { _, keys, _, _ := node.Stats(); return keys == 1 })
	w.sign(key)
	r.Stop()
	if !w.Seen.Reported(protocol.ReportRecovered) {
		t.Error("the rebuilding was not reported")
	}
}

// blockCertificates lets the device fail from its n-th call on: by then it
// has passed the check and signed the session key, and what it is asked for
// next is the certificate.
func (w *world) blockCertificates(fault func(context.Context) error) {
	n := w.Provider.Calls()
	if n < 2 {
		w.Fatalf("%d calls at start, want the check's and the session key's", n)
	}
	w.Provider.SetFault(fault)
}

// stored waits until the node has stored a batch that is not certified by all.
func (w *world) stored(node *Worker) {
	w.Helper()
	eventually(w, "the batch is stored", func() bool {
		pending, err := node.store.Pending()
		return err == nil && len(pending) == 1
	})
}

// TestRestartBetweenStoreAndCertificate: what was stored is certified by the
// next life of the node, over the same transcript.
func TestRestartBetweenStoreAndCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, r := w.startNode()
	w.blockCertificates(func(context.Context) error { return errDevice })
	w.publish(machinetest.Keygen())
	w.stored(node)
	pending, err := node.store.Pending()
	if err != nil {
		t.Fatal(err)
	}
	filter := wire.RoundsFilter(pending[0].Batch)
	messages, err := w.Bus.Slots(t.Context(), bus.RoundsOf(0), filter)
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d messages of the batch, %v; want its deal only", len(messages), err)
	}
	r.Stop()

	w.Provider.SetFault(nil)
	w.startNode()
	result := w.result()
	if got := result.Batches[0].ID; got != pending[0].Batch {
		t.Errorf("the job was done with batch %s, want the stored one, %s", got, pending[0].Batch)
	}
	w.sign(result.Keys[0])
}

// TestDeviceComesBack: a batch waits for its certificate as long as it takes.
func TestDeviceComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, _ := w.startNode()
	w.blockCertificates(func(context.Context) error { return errDevice })
	w.publish(machinetest.Keygen())
	w.stored(node)
	eventually(t, "the failure is logged", func() bool { return w.Lines.Count("key provider fails") > 0 })
	w.Provider.SetFault(nil)
	w.sign(w.result().Keys[0])
	eventually(t, "its end is logged", func() bool { return w.Lines.Count("key provider works again") > 0 })
}

var disabled = &keyprovider.Error{Reason: keyprovider.Disabled, Provider: "fake", Key: "identity"}

// TestSealedBeforeRefusal: a message that waits for the bus when the device is
// refused does not go out, but is sealed anew when the node may speak again.
func TestSealedBeforeRefusal(t *testing.T) {
	t.Parallel()
	config := natsserver.Config{StoreDir: t.TempDir(), Port: freeport.New(t)}
	w := newWorldOn(t, config)
	node, _ := w.startNode()
	w.Server.Shutdown()
	eventually(t, "the bus is away", func() bool { return w.Bus.Healthy() != nil })
	slot := wire.Slot{Kind: wire.SlotAbort, ID: "0123456789abcdef0123456789abcdef"}
	node.run.Go(func() { _ = node.fill(node.run.Life(), protocol.Publish{Slot: slot}, []byte("x")) })
	time.Sleep(100 * time.Millisecond) // sealed by now, and waiting
	w.Provider.SetFault(func(context.Context) error { return disabled })
	if _, err := node.cfg.Provider.Sign(t.Context(), [32]byte{}); keyprovider.ReasonOf(err) != keyprovider.Disabled {
		t.Fatal(err)
	}
	var err error
	if w.Server, err = natsserver.Start(config); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bus is back", func() bool { return w.Bus.Healthy() == nil })
	said := func() bool {
		all, err := w.Bus.Slots(t.Context(), bus.RoundsOf(0), "dkg.>")
		return err == nil && len(all) > 0
	}
	for range 20 {
		if time.Sleep(100 * time.Millisecond); said() {
			t.Fatal("a refused node speaks")
		}
	}
	w.Provider.SetFault(nil)
	eventually(t, "the message goes out", said)
}

// TestSilentNodeDropsSigning: nothing piles up that nobody waits for.
func TestSilentNodeDropsSigning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, _ := w.startNode()
	w.Provider.SetFault(func(context.Context) error { return disabled })
	if _, err := node.cfg.Provider.Sign(t.Context(), [32]byte{}); keyprovider.ReasonOf(err) != keyprovider.Disabled {
		t.Fatal(err)
	}
	for _, kind := range []wire.SlotKind{wire.SlotCommit, wire.SlotShare, wire.SlotRefuse} {
		done := make(chan struct{})
		go func() {
			node.publish(protocol.Publish{Slot: wire.Slot{Kind: kind, ID: "0123456789abcdef0123456789abcdef"}})
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(machinetest.WaitLimit):
			t.Fatalf("a silent node keeps its %s", kind)
		}
	}
}

// TestRefusedDevice: a node whose key is taken away is silent at once, says
// so, and comes back on its own when it is given the key again.
func TestRefusedDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, _ := w.startNode()
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	w.Provider.SetFault(func(context.Context) error { return disabled })
	w.publish(machinetest.Keygen()) // the next use of the device
	eventually(t, "the session key is dropped", func() bool { return !node.sessions.valid(time.Now()) })
	if err := node.Ready(); err == nil || !strings.Contains(err.Error(), "no session key") {
		t.Errorf("a silent node says %v", err)
	}
	if err := node.cfg.Provider.Ready(); keyprovider.ReasonOf(err) != keyprovider.Disabled {
		t.Errorf("the device's state is %v", err)
	}
	refused := func() int { return w.Lines.Count("key provider is refused") }
	eventually(t, "the refusal is logged", func() bool { return refused() > 0 }) // after the key is dropped
	w.Provider.SetFault(nil)
	eventually(t, "the node is ready again", func() bool { return node.Ready() == nil })
	if n := refused(); n != 1 {
		t.Errorf("the refusal is logged %d times", n)
	}
	w.result() // of the batch that waited
	w.sign(key)
}

// TestBusAway: what a node has to say waits for a bus that restarts, and what
// it missed is read then.
func TestBusAway(t *testing.T) {
	t.Parallel()
	config := natsserver.Config{StoreDir: t.TempDir(), Port: freeport.New(t)}
	w := newWorldOn(t, config)
	w.startGateway()
	node, _ := w.startNode()
	w.blockCertificates(func(context.Context) error { return errDevice })
	w.publish(machinetest.Keygen())
	w.stored(node)
	w.Server.Shutdown()
	eventually(t, "the bus is away", func() bool { return w.Bus.Healthy() != nil })
	w.Provider.SetFault(nil)
	eventually(t, "the certificate is stored", func() bool {
		pending, err := node.store.Pending()
		if err != nil || len(pending) != 1 {
			return false
		}
		r, err := node.store.Batch(pending[0])
		return err == nil && len(r.Cert) > 0
	})
	node.saveCursor() // with the certificate unpublished
	var err error
	if w.Server, err = natsserver.Start(config); err != nil {
		t.Fatal(err)
	}
	w.sign(w.result().Keys[0])
}

// TestHangingDeviceDoesNotBlockTheEnd: the node ends, its call to the device
// is told to, and nothing of the node is left.
func TestHangingDeviceDoesNotBlockTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, r := w.startNode()
	var hanging atomic.Int32
	w.blockCertificates(func(ctx context.Context) error {
		hanging.Add(1)
		defer hanging.Add(-1)
		<-ctx.Done()
		return ctx.Err()
	})
	w.publish(machinetest.Keygen())
	w.stored(node)
	eventually(t, "the device is asked", func() bool { return hanging.Load() == 1 })
	start := time.Now()
	r.Stop()
	if took := time.Since(start); took > machine.DrainTime+machinetest.WaitLimit {
		t.Errorf("the node took %s to end", took)
	}
	eventually(t, "the call ends", func() bool { return hanging.Load() == 0 })
	if node.run.Go(func() {}) {
		t.Error("a task begins after the end")
	}
	if effects := node.node.Step(protocol.Recertify{Batch: wire.BatchRef{ID: "0123456789abcdef0123456789abcdef"}}); effects != nil {
		t.Errorf("the machine was not stopped, its secrets not wiped: it wants %v", effects)
	}
	if err := w.Provider.Close(); err != nil { // waits for calls under way
		t.Error(err)
	}
}

// TestRemovedKeystoreEndsTheNode: it must not certify what no disk holds, and
// it says why it ends.
func TestRemovedKeystoreEndsTheNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	_, r := w.startNode()
	if err := os.Remove(filepath.Join(w.Storage, keystore.FileName)); err != nil {
		t.Fatal(err)
	}
	w.publish(machinetest.Keygen())
	if err := r.Wait(); !errors.Is(err, keystore.ErrGone) {
		t.Fatalf("the node ended with %v, want ErrGone", err)
	}
	all, err := w.Bus.Slots(t.Context(), bus.RoundsOf(0), "dkg.>")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if strings.Contains(m.Subject, ".cert.") {
			t.Error("a batch was certified that the keystore does not hold")
		}
		if strings.Contains(string(m.Data), w.Storage) {
			t.Error("the log tells where the node keeps its storage")
		}
	}
	// The next life begins with an empty keystore and finishes the job: its
	// first batch was given up in the log.
	w.startNode()
	w.result()
}

// TestCursorWaitsForStores: the cursor never passes what is not stored.
func TestCursorWaitsForStores(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, r := w.startNode()
	node.stored("test", "", errors.New("disk full"))
	err := r.Wait()
	if err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("a failed write does not end the node: %v", err)
	}
	if node.store, err = keystore.Open(t.TempDir(), &[32]byte{1}); err != nil {
		t.Fatal(err)
	}
	defer node.store.Close()
	saved := func() bool {
		t.Helper()
		node.saveCursor()
		id, _, err := node.store.Cursor()
		if err != nil {
			t.Fatal(err)
		}
		return id != ""
	}
	for _, effect := range []protocol.Effect{protocol.Complete{}, protocol.StoreRecovered{}} {
		node.node.count([]protocol.Effect{effect, protocol.Refetch{}})
		if saved() {
			t.Fatalf("the cursor was saved while %T was not stored", effect)
		}
	}
	node.stored("test", "", nil)
	node.stored("test", "", errors.New("disk full"))
	if saved() {
		t.Error("the cursor was saved after a write had failed")
	}
	node.stored("test", "", nil)
	if !saved() {
		t.Error("the cursor was not saved with everything stored")
	}
}

// TestCursorStaysBeforeGaps: what no copy of KEYS had is read again by the next life,
// which may find a copy that has it.
func TestCursorStaysBeforeGaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	js := w.Bus.Conn().JS
	stream, err := js.Stream(t.Context(), "FROST_TEST_KEYS")
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.DenyDelete = false // so that the test can damage it
	if err := js.DeleteStream(t.Context(), config.Name); err != nil {
		t.Fatal(err)
	}
	if stream, err = js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		subject := wire.EntryDealSubject(strings.Repeat("0", 32), 0, i)
		if _, err := w.Bus.Publish(t.Context(), subject, []byte("junk"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.DeleteMsg(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	node, r := w.startNode()
	if gaps := node.run.Keys().Gaps(); len(gaps) != 1 || gaps[0].First != 3 || gaps[0].Read {
		t.Errorf("gaps %v", gaps)
	}
	r.Stop()
	node, _ = w.startNode()
	if _, from, err := node.store.Cursor(); err != nil || from != 3 {
		t.Errorf("cursor %d, %v", from, err)
	}
}

// TestExpiredIsNotPublished: what waited for the bus or the device until its job
// had expired does not leave the node, nor does it keep anything waiting.
func TestExpiredIsNotPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, _ := w.startNode()
	slot := wire.Slot{Kind: wire.SlotShare, ID: "0123456789abcdef0123456789abcdef"}
	message := protocol.Publish{Slot: slot, Body: []byte("x"), Expires: time.Now().Add(-time.Second)}
	node.publish(message)
	if err := node.fill(t.Context(), message, message.Body); !errors.Is(err, errNobodyWaits) {
		t.Errorf("an expired message ended with %v", err)
	}
	if all, err := w.Bus.Slots(t.Context(), bus.Sign, "sign.>"); err != nil || len(all) != 0 {
		t.Fatalf("%d messages in SIGN, %v", len(all), err)
	}
	message.Expires = time.Now().Add(machinetest.WaitLimit)
	node.publish(message)
	if all, err := w.Bus.Slots(t.Context(), bus.Sign, "sign.>"); err != nil || len(all) != 1 {
		t.Fatalf("%d messages in SIGN before the expiry, %v", len(all), err)
	}
}

// TestFillRefused: what can never be published is given up at once, and logged.
func TestFillRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, _ := w.startNode()
	slot := wire.Slot{Kind: wire.SlotAbort, ID: "no id"}
	if err := node.fill(t.Context(), protocol.Publish{Slot: slot}, []byte("x")); !errors.Is(err, bus.ErrSubject) {
		t.Errorf("a message that can't be published ended with %v", err)
	}
	if w.Lines.Count("message not published\"") != 1 {
		t.Error("the end was not logged")
	}
}

// TestPublishEnds: what waits for a device or a bus that is away waits no
// longer than somebody waits for it.
func TestPublishEnds(t *testing.T) {
	for _, kind := range []wire.SlotKind{wire.SlotDeal, wire.SlotAbort, wire.SlotCert, wire.SlotCommit, wire.SlotShare, wire.SlotRefuse} {
		if publishDeadline[kind] <= 0 || publishDeadline[kind] > wire.MaxJobLife {
			t.Errorf("a %s message waits for %s", kind, publishDeadline[kind])
		}
	}
	if again := offerEvery * time.Second; again > publishDeadline[wire.SlotCert] {
		t.Error("a certificate is given up before it is said again")
	}
}

// TestNewRefuses: each error names what is wrong and the remedy.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startNode()
	for _, test := range []struct {
		name string
		bad  func(*Config)
		want string
	}{
		{"an index that is not there", func(c *Config) { c.Index = 1 }, "nodes 0 to 0"},
		{"a negative index", func(c *Config) { c.Index = -1 }, "nodes 0 to 0"},
		{"another device", func(c *Config) {
			c.Provider = harden(machinetest.NewProvider(t))
		}, "wrong key_provider settings"},
		{"a second process", func(*Config) {}, "stop the other worker"},
		{"a device that does not sign", func(c *Config) {
			p := &machinetest.Provider{Provider: w.Provider.Provider}
			p.SetFault(func(context.Context) error { return errDevice })
			c.Provider = harden(p)
		}, errDevice.Error()},
	} {
		c := w.config()
		test.bad(&c)
		if _, err := New(t.Context(), c); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	c := w.config()
	c.Storage = t.TempDir()
	fresh, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.Ready(); err == nil {
		t.Error("a node that does not run says that it is ready")
	}
	if err := fresh.Close(); err != nil {
		t.Error(err)
	}
}

// TestEndBeforeStart: an end that was asked for while the device hangs comes
// at once.
func TestEndBeforeStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, err := New(t.Context(), w.config())
	if err != nil {
		t.Fatal(err)
	}
	w.Provider.SetFault(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := node.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := node.store.Pending(); !errors.Is(err, keystore.ErrClosed) {
		t.Errorf("the keystore was left open: %v", err)
	}
}
