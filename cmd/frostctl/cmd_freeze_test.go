package main

import (
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestFreezePrint: what it prints is a freeze that counts, made without a network.
func TestFreezePrint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, stderr, code := call(t, "", "fleet", "init", dir, "--name", "main"); code != 0 {
		t.Fatal(stderr)
	}
	file := filepath.Join(dir, "administrator0", "administrator.toml")
	stdout, stderr, code := call(t, "", "freeze", "--config", file, "--client", "shop", "--reason", "stolen", "--print")
	if code != 0 {
		t.Fatal(stderr)
	}
	var said struct{ Administrator, Message string }
	if err := json.Unmarshal([]byte(stdout), &said); err != nil {
		t.Fatalf("%s: %v", stdout, err)
	}
	a, err := config.ParseAdministrator(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := config.LoadManifest(a.Administrator.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	access, err := launch.LoadAccess(a.Administrator.Access)
	if err != nil {
		t.Fatal(err)
	}
	message, err := hex.DecodeString(said.Message)
	if err != nil {
		t.Fatal(err)
	}
	f, err := wire.OpenFreeze(m, access, wire.ControlSubject(said.Administrator), message)
	if err != nil || f.Scope != wire.FreezeClient || f.Name != "shop" || f.Reason != "stolen" {
		t.Errorf("%+v, %v", f, err)
	}
}
