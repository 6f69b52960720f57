package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/holdertest"
)

// TestRegisterRefill: a new fleet's streams are made without a question. Where a node
// holds batches an empty KEYS is made only by who says that he knows, refill brings all
// back, and compact refuses while the node is there.
func TestRegisterRefill(t *testing.T) {
	f, manifest, server, b := registerFleet(t)
	dir := t.TempDir()
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
