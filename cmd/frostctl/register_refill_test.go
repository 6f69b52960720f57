package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/holdertest"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// TestRegisterRefill: a new fleet's streams are made without a question. Where a node
// holds batches an empty KEYS is made only by who says that he knows, refill brings all
// back, and compact refuses while the node is there.
func TestRegisterRefill(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	dir := t.TempDir()
	manifest := filepath.Join(dir, "manifest.json")
	data, err := json.Marshal(f.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, data, 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := natsserver.Start(natsserver.Config{StoreDir: t.TempDir(), Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	b, err := bus.Connect(t.Context(), bus.Options{Fleet: f.Manifest.Fleet, Nodes: 3, URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close(t.Context()) }()
	run := func(want int, says string, args ...string) {
		t.Helper()
		stdout, stderr, code := call(t, "", append(args, "--url", server.URL())...)
		if code != want || !strings.Contains(stdout+stderr, says) {
			t.Errorf("%v: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
	apply := []string{"bus", "apply", "--fleet", f.Manifest.Fleet, "--nodes", "3"}
	refill := []string{"register", "refill", "--manifest", manifest}

	run(0, "as declared", apply...)
	run(exitError, "no node answered", refill...)
	if err := b.Delete(t.Context(), bus.Keys); err != nil {
		t.Fatal(err)
	}
	all := holdertest.Entries(t, f, 3)
	stop := holdertest.Start(t, f, b, 1, all)
	run(exitError, "node 1 holds 3", apply...)
	if there, err := b.Exists(t.Context(), bus.Keys); err != nil || there {
		t.Fatal("KEYS was made", err)
	}
	run(0, "as declared", append(apply, "--new-register")...)
	run(0, "restored: 3 batches with 6 keys; KEYS had 0", refill...)
	run(0, `"restored":0`, append(refill, "--json")...)
	run(0, "as declared", apply...) // KEYS is there
	compact := []string{"register", "compact", filepath.Join(dir, "c"), "--manifest", manifest}
	run(exitError, "node 1 answers", compact...)
	stop()
	run(0, "compacted: 3 batches with 6 keys", compact...)
	holdertest.Start(t, f, b, 0, nil, wire.Holding{1, 1})
	run(exitUnproven, "not proven", refill...)
	if sum, err := register.Read(t.Context(), b, f.Manifest, func(*register.Entry) error { return nil }); err != nil ||
		sum.Entries != 3 {
		t.Errorf("%+v, %v", sum, err)
	}
}
