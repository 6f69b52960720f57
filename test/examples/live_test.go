package examples_test

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// TestLiveWithTLS: all examples have a key made and a message signed by a fleet whose
// NATS wants TLS and an nkey.
func TestLiveWithTLS(t *testing.T) {
	url, env := secured(t)
	dir := filepath.Join(t.TempDir(), "fleet")
	m, err := fleet.Init(t.Context(), dir, fleet.Options{
		Name: fleettest.Name, Network: "regtest", N: 3, T: 2, AttestSigning: true, BusURL: url, Client: fleettest.Client,
	})
	if err != nil {
		t.Fatal(err)
	}
	startSecured(t, dir, m, url, env)
	access, err := config.LoadAccess(filepath.Join(dir, "access.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for variable, value := range env {
		t.Setenv(variable, value)
	}
	args := []string{url, filepath.Join(dir, "manifest.json"), fleettest.Client, filepath.Join(dir, "client.key"),
		access.Gateways[0].Name, access.Gateways[0].PublicKey.String(), filepath.Join(t.TempDir(), "keys.jsonl")}
	all := examples(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			checkExample(t, succeed(t, all[name][0], append(all[name][1:], args...)...))
		})
	}
}

// startSecured makes the streams and runs the fleet's programs until the test ends.
func startSecured(t *testing.T, dir string, m *wire.Manifest, url string, env map[string]string) {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{
		Fleet: m.Fleet, Nodes: m.N, URL: url, Name: "test", Replicas: 1,
		Files: natsconn.Files{Credentials: env["NATS_NKEY"], TLSCA: env["NATS_CA"]},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	secure(t, filepath.Join(dir, fleet.GatewayFile), env)
	g, err := config.LoadGateway(filepath.Join(dir, fleet.GatewayFile))
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(ctx context.Context, o launch.Options) error { return launch.Gateway(ctx, g, o) })
	for i := range m.N {
		secure(t, filepath.Join(dir, fleet.NodeFile(i)), env)
		n, err := launch.LoadNode(filepath.Join(dir, fleet.NodeFile(i)))
		if err != nil {
			t.Fatal(err)
		}
		run(t, func(ctx context.Context, o launch.Options) error { return launch.Node(ctx, n, o) })
	}
}

// secure has a program's configuration name an nkey and an authority.
func secure(t *testing.T, path string, env map[string]string) {
	t.Helper()
	text := strings.Replace(string(must(t, path)), "[bus]\n",
		"[bus]\ncredentials = '"+env["NATS_NKEY"]+"'\ntls_ca = '"+env["NATS_CA"]+"'\n", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run returns when the program is ready.
func run(t *testing.T, program func(context.Context, launch.Options) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	o := launch.Options{Log: slog.New(slog.DiscardHandler), Ready: func() { close(ready) }}
	go func() { ended <- program(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("a program ended at start: %v", err)
	}
}
