package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// TestLedgerOfAnotherProcess: who starts a second worker, configured with the next manifest,
// on the storage of one that runs gets an error, and writes no ledger over the other's.
func TestLedgerOfAnotherProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config()
	cfg.Policy, cfg.AuditPath = twoADay(t), filepath.Join(w.Storage, "audit")
	node, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := machinetest.Run(t, node.Run)
	eventually(t, "the node is ready", func() bool { return node.Ready() == nil })
	path := filepath.Join(w.Storage, LedgerFile)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Manifest = w.next()
	if _, err := New(t.Context(), cfg); !errors.Is(err, audit.ErrLocked) {
		t.Errorf("a second process on one storage: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the second one wrote the ledger of the first: %v", err)
	}
	r.Stop()
}

// TestFreezesOfALaterMember: what one member of a process knows to be frozen is frozen for
// another that begins, although its own file, from before, does not say so, and CONTROL lost
// it. So it is for a process that is configured with the later manifest from then on.
func TestFreezesOfALaterMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.administrator()
	node, r := w.startNode()
	next := w.next()
	w.accept(next)
	eventually(t, "the member of the next manifest runs", hosts(node, 2))
	r.Stop()
	raw := wire.Encode(&wire.FreezeStatement{Action: wire.ActionFreeze, Scope: wire.FreezeFleet, Reason: "why", Time: 1e9})
	book := wire.NewFreezeBook(w.Manifest)
	message := wire.FreezeMessage(raw, wire.SignFreeze(key, w.Manifest, "x", raw))
	if _, err := book.Add(w.Access, wire.ControlSubject("x"), message); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.Storage, FreezesFile), book.Keep(), 0o600); err != nil {
		t.Fatal(err)
	}
	node, r = w.startNode()
	eventually(t, "both run again", hosts(node, 2))
	for _, m := range node.all() {
		if m.Frozen().Count(wire.FreezeFleet) != 1 {
			t.Errorf("epoch %d: it is not frozen", m.cfg.Manifest.Epoch)
		}
	}
	r.Stop()
	cfg := w.config()
	cfg.Manifest = next
	later, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if later.Frozen().Count(wire.FreezeFleet) != 1 {
		t.Error("the next manifest's own process does not have it frozen")
	}
	if err := errors.Join(later.Close(), os.RemoveAll(StorageOf(w.Storage, next))); err != nil {
		t.Fatal(err)
	}
	if later, err = New(t.Context(), cfg); err != nil { // that member never ran before
		t.Fatal(err)
	}
	if later.Frozen().Count(wire.FreezeFleet) != 1 {
		t.Error("the next manifest's first process begins with nothing frozen")
	}
	if err := later.Close(); err != nil {
		t.Fatal(err)
	}
	// Whoever exports asks all members' files.
	own := filepath.Join(StorageOf(w.Storage, next), FreezesFile)
	if err := os.WriteFile(own, wire.NewFreezeBook(next).Keep(), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := OpenAllFreezes(w.Storage, next); err != nil || all.Frozen().Count(wire.FreezeFleet) != 1 {
		t.Errorf("what one member heard is not frozen for another: %v", err)
	}
	if err := os.WriteFile(filepath.Join(w.Storage, FreezesFile), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAllFreezes(w.Storage, next); !errors.Is(err, ErrFreezesFile) {
		t.Errorf("one of the files is damaged: %v", err)
	}
}

// TestLimitWhileKeysMove: jobs that come while their keys move from one member to the other
// are let through as often as the limit says, and no more.
func TestLimitWhileKeysMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	cfg := w.config()
	cfg.Policy, cfg.AuditPath = twoADay(t), filepath.Join(w.Storage, "audit")
	node, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := machinetest.Run(t, node.Run)
	eventually(t, "the node is ready", func() bool { return node.Ready() == nil })
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	next := w.next()
	w.accept(next)
	eventually(t, "the member of the next manifest runs", hosts(node, 2))
	const jobs = 16
	var all sync.WaitGroup
	all.Go(func() { w.move(next) })
	for i := range jobs {
		all.Go(func() {
			w.publish(wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{{Key: key.ID, Message: fmt.Append(nil, i)}}})
		})
	}
	all.Wait()
	done := 0
	for range jobs {
		switch r := w.Result(""); r.Status {
		case wire.StatusDone:
			done++
		case wire.StatusDenied:
		default:
			t.Errorf("%s: %s: %s", r.Status, r.Code, r.Error)
		}
	}
	if done != 2 {
		t.Errorf("%d of two a day were signed", done)
	}
	eventually(t, "the keys move", moved(node, keysOf(node)))
	eventually(t, "it is denied under the next manifest, too", func() bool {
		w.denied(key, "limit_reached")
		_, err := node.store.Key(batchOf(t, key), 0)
		return errors.Is(err, keystore.ErrMoved)
	})
	w.denied(key, "limit_reached")
	r.Stop()

	// Both wrote into one log, which verifies, and each record is of one of them.
	files, err := audit.Files(cfg.AuditPath)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]int{}
	if _, err := audit.Verify(t.Context(), files, audit.Options{Each: func(_ audit.File, r *audit.Record) error {
		if r.Event == audit.EventJob {
			of[r.Manifest]++
		}
		return nil
	}}); err != nil {
		t.Error(err)
	}
	if len(of) != 2 || of[""] == 0 || of[hashText(next.Hash())] == 0 {
		t.Errorf("records of jobs by manifest: %v", of)
	}
}

// TestRevokedHolder: a node that retires does not count itself among those that hold the keys
// if the access list revokes it.
func TestRevokedHolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	next := w.next()
	for name, test := range map[string]struct {
		revoked []wire.Revoked
		holders int
	}{"heard": {nil, 1}, "revoked": {[]wire.Revoked{{Identities: [][]byte{next.Nodes[0].Identity}}}, 0}} {
		access, err := wire.NewAccess(nil, nil, test.revoked...)
		if err != nil {
			t.Fatal(err)
		}
		s := &surveyor{bus: w.Bus, access: access, storage: t.TempDir(), identity: next.Nodes[0].Identity}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // it looks for more, at each second
		h, err := s.holders(ctx, next)
		cancel()
		if len(h.Nodes) != test.holders {
			t.Errorf("%s: nodes %v hold the keys, %v", name, h.Nodes, err)
		}
	}
}
