package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/test/holdertest"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// TestRegisterGenerations: of a fleet that has changed, whoever has any of its manifests saves
// the register, verifies the file offline, puts it back into an empty KEYS with what proves the
// other manifests, and has nodes of all of them bring back what is missing.
func TestRegisterGenerations(t *testing.T) {
	f, _, server, b := registerFleet(t)
	if err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := holdertest.Change(t, f)
	c.Store(t, b)
	manifests := make([]string, len(c.Fleets))
	for i, f := range c.Fleets {
		manifests[i] = manifestFile(t, f)
	}
	dir := t.TempDir()
	run := func(want int, says string, args ...string) {
		t.Helper()
		stdout, stderr, code := call(t, "", append([]string{"register"}, args...)...)
		if code != want || !strings.Contains(stdout+stderr, says) {
			t.Errorf("%v: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
	const all = ": 3 batches with 6 keys\nfurther generations of these: 3\n"
	url := []string{"--url", server.URL()}
	file := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	for i, m := range manifests {
		run(0, "saved"+all, append([]string{"export", file(i), "--manifest", m}, url...)...)
		for _, m := range manifests {
			run(0, "verified"+all, "verify", file(i), "--manifest", m)
		}
	}
	foreign := manifestFile(t, wiretest.New(t, 2, 3, nil))
	run(exitUnproven, "does not verify", "verify", file(0), "--manifest", foreign)

	empty := func() {
		t.Helper()
		if err := b.Delete(t.Context(), bus.Keys); err != nil {
			t.Fatal(err)
		}
		if err := b.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	empty()
	run(0, "in KEYS"+all, append([]string{"import", file(0), "--manifest", manifests[0]}, url...)...)
	run(0, "saved"+all, append([]string{"export", file(9), "--manifest", manifests[2]}, url...)...)

	// A node's storage is of one manifest; those before it are given.
	storage := filepath.Join(dir, "storage")
	s, err := keystore.Open(storage, &[32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Entries[3:5] {
		if err := s.PutRecovered(holdertest.Record(e, c.Fleets[1].Manifest)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	from := []string{"--manifest", manifests[1], "--storage", storage}
	run(0, "left out, as it proves nothing: 2", append([]string{"export", file(20)}, from...)...)
	run(0, "saved: 2 batches with 4 keys\n", append([]string{"export", file(21), "--before", manifests[0]}, from...)...)
	run(0, "verified: 2 batches with 4 keys\n", "verify", file(21), "--manifest", manifests[1])
	if err := register.KeepLineage(storage, c.Lineage); err != nil {
		t.Fatal(err)
	}
	run(0, "saved: 2 batches with 4 keys\n", append([]string{"export", file(22)}, from...)...)
	run(0, "verified: 2 batches with 4 keys\n", "verify", file(22), "--manifest", manifests[0])

	// The newest manifest's node holds what KEYS lacks.
	empty()
	run(0, "in KEYS: 2 batches", append([]string{"import", file(21), "--manifest", manifests[1]}, url...)...)
	holdertest.Start(t, f, b, 0, c.Entries[:3])
	run(0, "restored: 3 batches with 6 keys; KEYS had 2", append([]string{"refill", "--manifest", manifests[1]}, url...)...)
	run(0, "node 0: holds 3 batches", append([]string{"refill", "--manifest", manifests[0]}, url...)...)
	run(0, "node 3 of epoch 1: not asked", append([]string{"refill", "--manifest", manifests[1]}, url...)...)

	// No empty KEYS is made where a later manifest's node holds what was in it.
	holdertest.Start(t, c.Fleets[2], b, 1, c.Entries[5:])
	if err := b.Delete(t.Context(), bus.Keys); err != nil {
		t.Fatal(err)
	}
	apply := append([]string{"bus", "apply", "--fleet", f.Manifest.Fleet, "--nodes", "3"}, url...)
	if _, stderr, code := call(t, "", apply...); code != exitError || !strings.Contains(stderr, "node 1 of epoch 2 holds 1") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
