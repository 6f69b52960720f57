package examples_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// TestHTTPExamples: the examples that sign their jobs themselves and have a gateway carry them,
// which holds no key of their client.
func TestHTTPExamples(t *testing.T) {
	port := freeport.New(t)
	f := fleettest.Start(t, fleettest.Options{BeforeStart: func(dir string) {
		fleettest.WithHTTP(t, port)(dir)
		holdNoKey(t, filepath.Join(dir, fleet.GatewayFile))
	}})
	access, err := config.LoadAccess(filepath.Join(f.Dir, "access.toml"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FROSTFLEET_TOKEN", fleettest.Token)
	url, keys := fmt.Sprintf("http://127.0.0.1:%d", port), filepath.Join(t.TempDir(), "keys.jsonl")
	t.Run("go", func(t *testing.T) {
		checkExample(t, succeed(t, build(t, "docs/examples/go/http"), url, f.ClientFile(), keys))
	})
	t.Run("typescript", func(t *testing.T) {
		command := typescript(t, "http.js")
		checkExample(t, succeed(t, command[0], append(command[1:], url, filepath.Join(f.Dir, "manifest.json"), fleettest.Client,
			filepath.Join(f.Dir, "client.key"), access.Gateways[0].Name, access.Gateways[0].PublicKey.String(), keys)...))
	})
	t.Run("saved keys", func(t *testing.T) {
		out := succeed(t, build(t, "cmd/frostctl"), "verify", "--keys", keys, "--manifest", filepath.Join(f.Dir, "manifest.json"), "--json")
		if !strings.Contains(out, `"keys":2,"jobs":2`) {
			t.Errorf("frostctl verify says %s", out)
		}
	})
}

// holdNoKey takes the client's key away from a gateway.
func holdNoKey(t *testing.T, file string) {
	t.Helper()
	text := string(must(t, file))
	begin := strings.Index(text, "\n[[http.client]]") // not the one that a remark shows
	end := strings.Index(text, "\n[[http.token]]")
	if begin < 0 || end < begin {
		t.Fatalf("no [[http.client]] before [[http.token]] in %s", text)
	}
	if err := os.WriteFile(file, []byte(text[:begin]+text[end:]), 0o600); err != nil {
		t.Fatal(err)
	}
}
