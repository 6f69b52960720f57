package worker

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// revoking is an access list of the world's gateway that revokes somebody.
func (w *world) revoking(r wire.Revoked) *wire.Access {
	w.Helper()
	public := w.GatewayKey.Public().(ed25519.PublicKey)
	a, err := wire.NewAccess(nil, map[string]ed25519.PublicKey{machinetest.Gateway: public}, r)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// TestRevokedNodeIsSilent: a node that the access list revokes says so, has no
// session key, asks its device for none, and comes back with the revocation's end.
func TestRevokedNodeIsSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, _ := w.startNode()
	node.SetAccess(w.revoking(wire.Revoked{Nodes: []int{0}}))
	if err := node.Ready(); !errors.Is(err, errRevoked) {
		t.Errorf("a revoked node is ready: %v", err)
	}
	calls := w.Provider.Calls()
	node.tick()
	node.renew(t.Context())
	if !node.sessions.silent() || w.Provider.Calls() != calls {
		t.Error("a revoked node speaks, or asks its device for a session key")
	}
	node.SetAccess(w.Access)
	eventually(t, "the node speaks again", func() bool { return node.Ready() == nil })
}

// TestRevokedSessionKey: a node whose session key is revoked takes another.
func TestRevokedSessionKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, _ := w.startNode()
	stolen, err := hex.DecodeString(node.sessions.public())
	if err != nil || len(stolen) != ed25519.PublicKeySize {
		t.Fatalf("session key %x, %v", stolen, err)
	}
	node.SetAccess(w.revoking(wire.Revoked{SessionKeys: [][]byte{stolen}}))
	if node.sessions.uses(func(key []byte) bool { return bytes.Equal(key, stolen) }) {
		t.Error("the revoked key is in use")
	}
	eventually(t, "the node has another key", func() bool { return node.Ready() == nil && node.sessions.public() != "" })
}

// TestReplacedSessionKeyIsWiped: with its successor, and with a refusal of the device.
func TestReplacedSessionKeyIsWiped(t *testing.T) {
	s, _ := fakeSessions(t)
	renew := func() *wire.SessionKey {
		if _, err := s.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s.current
	}
	first, second := renew(), renew()
	if first.Seal(s.manifest, "dkg.x", nil) != nil || second.Seal(s.manifest, "dkg.x", nil) == nil {
		t.Error("a session key outlives its successor")
	}
	s.drop()
	third := renew()
	if second.Seal(s.manifest, "dkg.x", nil) != nil {
		t.Error("a session key outlives the device's refusal")
	}
	s.wipe()
	if third.Seal(s.manifest, "dkg.x", nil) != nil || !s.silent() {
		t.Error("a session key outlives its worker")
	}
}

// A message is sealed under the key's successor if the key is wiped under it.
func TestSealTakesTheSuccessor(t *testing.T) {
	s, _ := fakeSessions(t)
	if _, err := s.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.current.Wipe() // between usable and Seal, say
	ctx, cancel := context.WithTimeout(t.Context(), machinetest.WaitLimit)
	defer cancel()
	sealed := make(chan []byte)
	go func() {
		data, _, err := s.seal(ctx, "dkg.x", nil)
		if err != nil {
			t.Error(err)
		}
		sealed <- data
	}()
	time.Sleep(10 * time.Millisecond)
	if _, err := s.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if data := <-sealed; data == nil {
		t.Error("nothing was sealed")
	}
}

// TestNothingLeavesAfterARevocation: what waited for the device or the bus when the
// list took something away, or was made by the list before, does not leave the node.
func TestNothingLeavesAfterARevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, _ := w.startNode()
	slot := wire.Slot{Kind: wire.SlotCommit, ID: "0123456789abcdef0123456789abcdef"}
	message := protocol.Publish{Slot: slot, Body: []byte("x"), Expires: time.Now().Add(time.Hour), Access: w.Access}
	waits := message
	waits.Leaf, waits.With = new([32]byte), func(*wire.Attestation) []byte { return []byte("x") }
	asked, ended := make(chan struct{}), make(chan struct{})
	w.Provider.SetFault(func(ctx context.Context) error { close(asked); <-ctx.Done(); return nil })
	go func() { defer close(ended); node.publish(waits) }()
	<-asked
	w.Provider.SetFault(nil)
	node.SetAccess(w.revoking(wire.Revoked{})) // without the client
	<-ended
	node.publish(message)
	sent := func() int {
		all, err := w.Bus.Slots(t.Context(), bus.Sign, "sign.>")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if n := sent(); n != 0 {
		t.Errorf("%d messages left after the client was taken off the list", n)
	}
	refusal := protocol.Publish{Slot: wire.Slot{Kind: wire.SlotRefuse, ID: slot.ID}, Body: []byte("no")}
	node.publish(refusal)
	node.SetAccess(w.Access) // which only adds
	message.Access = node.access.Load()
	node.publish(message)
	if n := sent(); n != 2 {
		t.Errorf("%d messages left, want a refusal and one under the list of now", n)
	}
	if node.SetAccess(w.Access); w.Lines.Count("took rights away since") != 2 {
		t.Error("the log does not say why")
	}
}
