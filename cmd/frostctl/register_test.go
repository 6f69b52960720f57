package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// registerFleet is a fleet's manifest in a file, and a NATS server without its streams.
func registerFleet(t *testing.T) (f *wiretest.Fleet, manifest string, server *natsserver.Server, b *bus.Bus) {
	t.Helper()
	f = wiretest.New(t, 2, 3, nil)
	server, b = startRegister(t, f, t.TempDir())
	return f, manifestFile(t, f), server, b
}

func manifestFile(t *testing.T, f *wiretest.Fleet) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "manifest.json")
	data, err := json.Marshal(f.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startRegister starts a NATS server on a store, and connects.
func startRegister(t *testing.T, f *wiretest.Fleet, store string) (server *natsserver.Server, b *bus.Bus) {
	t.Helper()
	server, err := natsserver.Start(natsserver.Config{StoreDir: store, Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	b, err = bus.Connect(t.Context(), bus.Options{Fleet: f.Manifest.Fleet, Nodes: 3, URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	return server, b
}

// TestRegister: export, verify and import do what they say, on the bus and in files,
// and what is wrong with a file is an exit code of its own.
func TestRegister(t *testing.T) {
	f, manifest, server, b := registerFleet(t)
	dir := t.TempDir()
	if err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		e := testEntry(t, f, i)
		if i == 2 { // its deals come before its head
			for node, deal := range e.Deals {
				if _, err := b.Publish(t.Context(), wire.EntryDealSubject(e.ID, 0, node), deal, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := register.Store(t.Context(), b, f.Manifest, e, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Publish(t.Context(), wire.EntryHeadSubject("x", 0), []byte("junk"), nil); err != nil {
		t.Fatal(err)
	}

	file := filepath.Join(dir, "keys.register")
	run := func(want int, says string, args ...string) {
		t.Helper()
		stdout, stderr, code := call(t, "", append([]string{"register"}, args...)...)
		if code != want || !strings.Contains(stdout+stderr, says) {
			t.Errorf("%v: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
	run(0, "saved: 3 batches with 6 keys\nleft out, as it proves nothing: 1\n", "export", file, "--manifest", manifest, "--url", server.URL())
	run(exitError, "exists and is not overwritten", "export", file, "--manifest", manifest, "--url", server.URL())
	run(0, "verified: 3 batches with 6 keys\n", "verify", file, "--manifest", manifest)
	for _, d := range b.Declared() {
		if err := b.Conn().JS.DeleteStream(t.Context(), d.Name); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		run(0, "in KEYS: 3 batches with 6 keys\n", "import", file, "--manifest", manifest, "--url", server.URL())
	}
	stored, err := b.Slots(t.Context(), bus.Keys, "entry.>")
	if err != nil || len(stored) != 12 {
		t.Errorf("KEYS has %d messages, %v", len(stored), err)
	}

	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bent := append([]byte{}, whole...)
	bent[len(bent)/2] ^= 1
	for name, bytes := range map[string][]byte{"cut": whole[:len(whole)-3], "bent": bent, "empty": nil} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		run(exitUnproven, "", "verify", path, "--manifest", manifest)
		if name == "bent" {
			run(exitUnproven, "in KEYS: 2 batches", "import", path, "--manifest", manifest, "--url", server.URL())
		}
	}
	none := filepath.Join(dir, "none")
	run(exitError, "keystore", "export", none, "--manifest", manifest, "--storage", dir)
	if _, err := os.Stat(none); !os.IsNotExist(err) {
		t.Error("an export that failed leaves a file")
	}
}
