package worker

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// administrator gives the fleet one, before its programs start.
func (w *world) administrator() ed25519.PrivateKey {
	w.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	if w.Access, err = w.Access.WithAdministrators([]wire.Administrator{{Name: "x", Key: public}}, 0); err != nil {
		w.Fatal(err)
	}
	return key
}

// says publishes a statement, and returns its bytes.
func (w *world) says(key ed25519.PrivateKey, s wire.FreezeStatement) []byte {
	w.Helper()
	s.Reason, s.Time = "why", 1e9
	raw := wire.Encode(&s)
	message := wire.FreezeMessage(raw, wire.SignFreeze(key, w.Manifest, "x", raw))
	if _, err := w.Bus.Publish(w.Context(), wire.ControlSubject("x"), message, nil); err != nil {
		w.Fatal(err)
	}
	return raw
}

var wholeFleet = wire.FreezeStatement{Action: wire.ActionFreeze, Scope: wire.FreezeFleet}

// TestFrozenAfterTheStreamIsGone: a freeze outlives a restart and the loss of CONTROL, also
// at a node that runs, and ends by an unfreeze in the new stream.
func TestFrozenAfterTheStreamIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.administrator()
	w.startGateway()
	node, r := w.startNode()
	w.publish(machinetest.Keygen())
	signer := w.result().Keys[0]
	frozen := w.says(key, wholeFleet)
	eventually(t, "the node obeys", func() bool { return node.Frozen().Count(wire.FreezeFleet) == 1 })
	eventually(t, "the file is written", func() bool {
		book, err := OpenFreezes(w.Storage, w.Manifest)
		return err == nil && len(book.InForce()) == 1
	})
	js := w.Bus.Conn().JS
	stream, err := js.Stream(t.Context(), "FROST_TEST_CONTROL")
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), stream.CachedInfo().Config.Name); err != nil {
		t.Fatal(err)
	}
	if err := w.Bus.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the loss is noticed", func() bool { return w.Lines.Count("starts anew") > 0 })
	if node.Frozen().Count(wire.FreezeFleet) != 1 {
		t.Error("who empties the stream unfreezes")
	}
	r.Stop()
	node, _ = w.startNode()
	if node.Frozen().Count(wire.FreezeFleet) != 1 {
		t.Error("who empties the stream unfreezes whoever starts")
	}
	if w.Lines.Count("frozen since before the start") != 1 {
		t.Error("it is not logged")
	}
	w.publish(wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{{Key: signer.ID, Message: []byte("m")}}})
	if result := w.Result(""); result.Code != wire.CodeFrozen {
		t.Errorf("a frozen job ended with %q: %s", result.Code, result.Error)
	}
	w.says(key, wire.FreezeStatement{Action: wire.ActionUnfreeze, Lifts: [][32]byte{wire.FreezeID(w.Manifest, frozen)}})
	eventually(t, "the node is free", func() bool { return node.Frozen().Count(wire.FreezeFleet) == 0 })
}

// TestDamagedFreezes: a node that can't tell what is frozen does not start, and says what
// to do; that helps.
func TestDamagedFreezes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, r := w.startNode()
	r.Stop()
	path := filepath.Join(w.Storage, FreezesFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"missing":    func() error { return os.Remove(path) },
		"empty":      func() error { return os.WriteFile(path, nil, 0o600) },
		"cut":        func() error { return os.WriteFile(path, good[:len(good)-1], 0o600) },
		"no file":    func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"other bits": func() error { return os.WriteFile(path, append([]byte{good[0] ^ 1}, good[1:]...), 0o600) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		_, err := New(t.Context(), w.config())
		if !errors.Is(err, ErrFreezesFile) || !strings.Contains(err.Error(), "frost-worker freezes --config FILE --rebuild") {
			t.Errorf("%s: %v", name, err)
		}
		if err := CheckFreezes(w.Storage, w.Manifest); !errors.Is(err, ErrFreezesFile) {
			t.Errorf("%s, before the start: %v", name, err)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	aside, err := RebuildFreezes(w.Storage, w.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	if old, err := os.ReadFile(aside); err != nil || string(old) != "junk" {
		t.Errorf("put aside: %q, %v", old, err)
	}
	w.startNode()
	if err := CheckFreezes(t.TempDir(), w.Manifest); err != nil {
		t.Errorf("a new node: %v", err)
	}
}

// TestFreezesNotKept: a disk that takes no file makes the node unready, and not deaf.
func TestFreezesNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.administrator()
	node, _ := w.startNode()
	block := filepath.Join(w.Storage, FreezesFile+".new")
	if err := os.Mkdir(block, 0o700); err != nil {
		t.Fatal(err)
	}
	w.says(key, wholeFleet)
	eventually(t, "the node obeys", func() bool { return node.Frozen().Count(wire.FreezeFleet) == 1 })
	eventually(t, "it says so", func() bool { return node.Keystore() != nil })
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the write is repeated", func() bool { return node.Keystore() == nil })
}

// TestFrozenMessagesDoNotLeave: a commitment that waits for the device when its client is
// frozen is dropped at once, whatever the device does, and never leaves.
func TestFrozenMessagesDoNotLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.administrator()
	w.startGateway()
	w.startNode()
	w.publish(machinetest.Keygen())
	signer := w.result().Keys[0]
	var hanging atomic.Int32
	w.Provider.SetFault(func(ctx context.Context) error {
		hanging.Add(1)
		<-ctx.Done()
		return ctx.Err()
	})
	w.publish(wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{{Key: signer.ID, Message: []byte("m")}}})
	eventually(t, "the commitment waits for the device", func() bool { return hanging.Load() > 0 })
	w.says(key, wholeFleet)
	if r := w.Result(""); r.Code != wire.CodeFrozen {
		t.Errorf("the job ended with %q: %s", r.Code, r.Error)
	}
	eventually(t, "it is dropped", func() bool { return w.Lines.Count(errFrozen.Error()) > 0 })
	w.Provider.SetFault(nil)
	commits, err := w.Bus.Slots(t.Context(), bus.Sign, "sign.*.commit.*")
	if err != nil || len(commits) != 0 {
		t.Errorf("%d commitments left the node, %v", len(commits), err)
	}
}
