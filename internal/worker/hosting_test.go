package worker

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/machine"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// next is the manifest that follows the world's, with the same node.
func (w *world) next(change ...func(*wire.Manifest)) *wire.Manifest {
	w.Helper()
	id, hash := w.Manifest.FleetID(), w.Manifest.Hash()
	m := &wire.Manifest{
		Version: wire.SuccessorVersion, Fleet: w.Manifest.Fleet, Network: w.Manifest.Network, N: 1, T: 1,
		Epoch: w.Manifest.Epoch + 1, AttestSigning: true, Genesis: id[:], Previous: hash[:],
	}
	card, err := Card(w.Context(), w.Provider, m.Fleet, m.Epoch, 0)
	if err != nil {
		w.Fatal(err)
	}
	m.Nodes = []wire.NodeCard{card}
	for _, f := range change {
		f(m)
	}
	if err := m.Seal(); err != nil {
		w.Fatal(err)
	}
	return m
}

// accept approves a manifest beside the worker, as accept-manifest does.
func (w *world) accept(next *wire.Manifest) {
	w.Helper()
	kept, err := Accept(w.Context(), harden(w.Provider), w.Manifest, 0, next, false)
	if err == nil {
		err = keystore.SaveSuccessor(StorageOf(w.Storage, w.Manifest), kept)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// move has the administrator move all keys to a manifest.
func (w *world) move(next *wire.Manifest) {
	w.Helper()
	hash := next.Hash()
	for subject, value := range map[string]any{
		wire.ManifestSubject(hash): next,
		wire.PaceSubject:           wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: true},
	} {
		text, err := json.Marshal(value)
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.Bus.Publish(w.Context(), subject, text, nil); err != nil {
			w.Fatal(err)
		}
	}
}

func hosts(node *Worker, manifests int) func() bool {
	return func() bool { return node.Manifests() == manifests && node.Ready() == nil }
}

// moved reports whether a process's member of a later manifest has so many keys.
func moved(node *Worker, keys int) func() bool {
	return func() bool {
		all := node.all()
		_, has := all[len(all)-1].store.Stats()
		return len(all) > 1 && has == keys
	}
}

func (w *world) said(m *wire.Manifest) *wire.Heartbeat {
	w.Helper()
	msg, ok, err := w.Bus.Last(w.Context(), bus.Presence, m.NodePresence(0))
	if err != nil || !ok {
		return nil
	}
	o := wire.NewOpener(m, w.Access)
	o.SetTime(msg.Time)
	_, h, err := o.Heartbeat(machine.LogMessage(msg))
	if err != nil {
		w.Fatal(err)
	}
	return h
}

// TestNextManifest: a running worker joins the next manifest automatically, once its
// operator approved it; keys move and sign under one ledger; restarts change nothing; at the
// end the old shares are wiped, and the process goes on with the next manifest alone.
func TestNextManifest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, r := w.startPoliced(twoADay(t))
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	w.sign(key)
	next := w.next()
	w.accept(next)
	eventually(t, "the member of the next manifest runs", hosts(node, 2))
	eventually(t, "the fleet is told", func() bool { h := w.said(w.Manifest); return h != nil && h.Approval != nil })
	if h := w.said(w.Manifest); h.Approval.Verify(w.Manifest, next.Hash()) != nil {
		t.Error("the heartbeat has another approval")
	}
	if h := w.said(next); h == nil || h.Manifest != next.Hash() || h.Approval != nil {
		t.Errorf("the next member says %+v", h)
	}

	w.move(next)
	eventually(t, "the keys move", moved(node, keysOf(node)))
	eventually(t, "the old shares sign no more", func() bool {
		_, err := node.store.Key(batchOf(t, key), 0)
		return errors.Is(err, keystore.ErrMoved)
	})
	w.sign(key) // the second of two a day
	w.denied(key, "limit_reached")
	if err := keystore.RevokeSuccessor(w.Storage); !errors.Is(err, keystore.ErrDealt) {
		t.Errorf("taken back after it was dealt to: %v", err)
	}
	r.Stop()

	cfg := w.config()
	cfg.Policy = twoADay(t)
	node, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r = machinetest.Run(t, node.Run)
	eventually(t, "both run again", hosts(node, 2))
	w.denied(key, "limit_reached")
	if l, err := register.KeptLineage(w.Storage, w.Manifest); err != nil || l.Newest().Hash() != next.Hash() {
		t.Errorf("the lineage is not kept: %v", err)
	}
	r.Stop()

	l, err := register.Lineage(t.Context(), w.Bus, w.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	found, err := Survey(t.Context(), w.Bus, l, w.Access, w.Storage, w.Manifest.Nodes[0].Identity, w.Manifest)
	if err != nil || found.Refused() != nil || found.Stored != 1 || len(found.Holders) != 1 {
		t.Fatalf("%+v: %v, %v", found, err, found.Refused())
	}
	if err := keystore.Retire(found.Storage, keystore.Retirement{Manifest: "a", Successor: "b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), cfg); !errors.Is(err, keystore.ErrRetired) || !strings.Contains(err.Error(), "set [node] manifest") {
		t.Errorf("a retired storage: %v", err)
	}
	cfg.Manifest = next
	node, err = New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	machinetest.Run(t, node.Run)
	eventually(t, "the next manifest's node runs alone", hosts(node, 1))
	w.denied(key, "limit_reached") // the ledger stayed
}

func keysOf(node *Worker) int { _, keys := node.store.Stats(); return keys }

func batchOf(t *testing.T, key wire.Key) string {
	t.Helper()
	id, err := wire.ParseKeyID(key.ID)
	if err != nil {
		t.Fatal(err)
	}
	return id.Batch
}

// TestApprovalTakenBack: the member of the next manifest ends, and the fleet is told. One
// that can't run keeps nobody else from working.
func TestApprovalTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, _ := w.startNode()
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	next := w.next()
	blocked := StorageOf(w.Storage, next)
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.accept(next)
	eventually(t, "it says what keeps the member from running", func() bool {
		err := node.Ready()
		return err != nil && strings.Contains(err.Error(), filepath.Base(blocked))
	})
	w.sign(key)
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs", hosts(node, 2))

	if err := keystore.RevokeSuccessor(w.Storage); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it ends", hosts(node, 1))
	eventually(t, "the fleet is told", func() bool { h := w.said(w.Manifest); return h != nil && h.Approval == nil })
	eventually(t, "its last word is said", func() bool { h := w.said(next); return h != nil && h.Leaving })
	w.sign(key)

	// A file that can't be read changes nothing, and shows.
	if err := os.WriteFile(filepath.Join(w.Storage, keystore.SuccessorFile), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the damage shows", func() bool { return errors.Is(node.Lineage(), keystore.ErrDamaged) })
	if !hosts(node, 1)() {
		t.Error("it changed something")
	}
}

// TestNotInNext: a device that has no node in the next manifest only deals.
func TestNotInNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node, _ := w.startNode()
	other := machinetest.NewProvider(t)
	next := w.next(func(m *wire.Manifest) {
		card, err := Card(t.Context(), other, m.Fleet, m.Epoch, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.Nodes = []wire.NodeCard{card}
	})
	w.accept(next)
	eventually(t, "it is looked at", func() bool { return w.Lines.Count("has no node in a later manifest") == 1 })
	if !hosts(node, 1)() {
		t.Error("it is hosted")
	}
}

// TestSurveyRefuses: what is still needed is not wiped, and the reason is named.
func TestSurveyRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, r := w.startNode()
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	survey := func() (*Retirement, error) {
		l, err := register.Lineage(t.Context(), w.Bus, w.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		return Survey(t.Context(), w.Bus, l, w.Access, w.Storage, w.Manifest.Nodes[0].Identity, w.Manifest)
	}
	if _, err := survey(); !errors.Is(err, ErrNobody) {
		t.Errorf("no manifest follows: %v", err)
	}
	next := w.next()
	w.accept(next)
	eventually(t, "the member of the next manifest runs", hosts(node, 2))
	hash := next.Hash()
	text, err := json.Marshal(next)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Bus.Publish(t.Context(), wire.ManifestSubject(hash), text, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next manifest counts", func() bool { return node.run.Lineage().Newest().Hash() == hash })
	if _, err := survey(); !errors.Is(err, keystore.ErrLocked) {
		t.Errorf("the worker runs: %v", err)
	}
	r.Stop()
	found, err := survey()
	if err != nil || !errors.Is(found.Refused(), ErrNeeded) || !strings.Contains(found.Refused().Error(), batchOf(t, key)) {
		t.Fatalf("a key that has not moved: %v, %v", err, found.Refused())
	}
}

// TestNewInItsFleet: a node that begins under a later manifest counts as one that lost its
// ledger, whatever was let through before it came.
func TestNewInItsFleet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, _ := w.startPoliced(twoADay(t))
	if w.Lines.Count("signed before") != 0 {
		t.Error("the founding manifest's node was new, too")
	}
	cfg := w.config()
	cfg.Manifest, cfg.Policy, cfg.Storage = w.next(), twoADay(t), t.TempDir()
	node, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if w.Lines.Count("signed before") != 1 || node.ledger == first.ledger {
		t.Error("it begins with an empty ledger")
	}
	if err := node.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(StorageOf(cfg.Storage, cfg.Manifest), keystore.FileName)); err != nil {
		t.Errorf("its keystore is elsewhere: %v", err)
	}
}
