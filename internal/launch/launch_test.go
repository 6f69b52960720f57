package launch

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/natsserver"
)

var discard = slog.New(slog.DiscardHandler)

// newFleet writes a 1-of-n fleet directory and runs a bus without a socket
// for it.
func newFleet(t *testing.T, n int, ports ...int) (dir string, o Options) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "fleet")
	if _, err := fleet.Init(t.Context(), dir, fleet.Options{
		Name: "test", Network: "regtest", N: n, T: 1, BusPort: 4222, Client: "client0", ServerPorts: ports,
	}); err != nil {
		t.Fatal(err)
	}
	server, err := natsserver.Start(natsserver.Config{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	return dir, Options{Log: discard, Embedded: server}
}

// applyStreams does what the administrator does.
func applyStreams(t *testing.T, o Options) {
	t.Helper()
	conn, err := bus.Connect(t.Context(), bus.Options{Fleet: "test", Nodes: 5, Name: "admin", Embedded: o.Embedded})
	if err != nil {
		t.Fatal(err)
	}
	defer closeBus(conn, o.Log)
	if err := conn.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func closeBus(conn *bus.Bus, log *slog.Logger) {
	if err := conn.Close(context.Background()); err != nil {
		log.Warn("bus", "err", err)
	}
}

func loadGateway(t *testing.T, dir string) *config.Gateway {
	t.Helper()
	g, err := config.LoadGateway(filepath.Join(dir, fleet.GatewayFile))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// keyFile is where a node's file says that its keys are.
func keyFile(n *config.Node) *string { return &n.Node.KeyProvider.Section.(*software.Section).KeyFile }

func loadNode(t *testing.T, dir string, i int) *config.Node {
	t.Helper()
	n, err := LoadNode(filepath.Join(dir, fleet.NodeFile(i)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestErrorsAtStart: each names what is wrong and the remedy.
func TestErrorsAtStart(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().(*net.TCPAddr).Port

	dir, o := newFleet(t, 2)
	gatewayError := func(change func(*config.Gateway)) error {
		g := loadGateway(t, dir)
		change(g)
		return Gateway(t.Context(), g, o)
	}
	for _, test := range []struct {
		name, want string
		change     func(*config.Gateway)
	}{
		{"no manifest", "get the fleet's manifest.json", func(g *config.Gateway) { g.Gateway.Manifest += ".none" }},
		{"no access list", "no such file", func(g *config.Gateway) { g.Gateway.Access += ".none" }},
		{"no manifest but a key", "manifest", func(g *config.Gateway) { g.Gateway.Manifest = g.Gateway.KeyFile }},
		{"another network", `gateway.toml:3: network.type: is "mainnet"`, func(g *config.Gateway) { g.Network.Type = "mainnet" }},
		{"no key", "no such file", func(g *config.Gateway) { g.Gateway.KeyFile += ".none" }},
		{"a port that is taken", "another program has the port", func(g *config.Gateway) { g.Server.Port = taken }},
	} {
		if err := gatewayError(test.change); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("gateway, %s: %v, want %q", test.name, err, test.want)
		}
	}
	applyStreams(t, o)
	nodeError := func(change func(*config.Node)) error {
		n := loadNode(t, dir, 0)
		change(n)
		return Node(t.Context(), n, o)
	}
	other := keyFile(loadNode(t, dir, 1))
	for _, test := range []struct {
		name, want string
		change     func(*config.Node)
	}{
		{"no manifest", "get the fleet's manifest.json", func(n *config.Node) { n.Node.Manifest += ".none" }},
		{"another node's keys", "wrong key_provider settings", func(n *config.Node) { *keyFile(n) = *other }},
		{"a port that is taken", "another program has the port", func(n *config.Node) { n.Server.Port = taken }},
	} {
		// Twice: the first must have let go of the keystore.
		for range 2 {
			if err := nodeError(test.change); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("node, %s: %v, want %q", test.name, err, test.want)
			}
		}
	}
}

// TestDev: the whole fleet gets ready in one process and stops when told to.
func TestDev(t *testing.T) {
	t.Parallel()
	dir, o := newFleet(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var ready atomic.Int32
	o.Ready = func() { ready.Add(1); cancel() }
	if err := Dev(ctx, dir, o); err != nil || ready.Load() != 1 {
		t.Errorf("ended with %v after it had been ready %d times", err, ready.Load())
	}
}

// TestDevEndsWithItsFirstFailure: one program that can't run ends the rest.
func TestDevEndsWithItsFirstFailure(t *testing.T) {
	t.Parallel()
	dir, o := newFleet(t, 2)
	o.Ready = func() { t.Error("a fleet with a node that can't start got ready") }
	n := loadNode(t, dir, 1)
	if err := os.Chmod(*keyFile(n), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	err := Dev(ctx, dir, o)
	if err == nil || !strings.Contains(err.Error(), "node 1: ") || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("ended with %v", err)
	}
	if ctx.Err() != nil {
		t.Error("the rest did not end")
	}
}

// TestDevOwnBus: without a bus Dev runs the one of the gateway's file, and says
// so if it can't.
func TestDevOwnBus(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, err := fleet.Init(t.Context(), dir, fleet.Options{
		Name: "test", Network: "regtest", N: 1, T: 1, BusPort: listener.Addr().(*net.TCPAddr).Port, Client: "client0",
	}); err != nil {
		t.Fatal(err)
	}
	if err := Dev(t.Context(), dir, Options{Log: discard, Serve: natsserver.Embed}); err == nil || !strings.Contains(err.Error(), "embedded NATS server") {
		t.Errorf("on a port that is taken: %v", err)
	}
	listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ready := false
	if err := Dev(ctx, dir, Options{Log: discard, Serve: natsserver.Embed, Ready: func() { ready = true; cancel() }}); err != nil || !ready {
		t.Errorf("ended with %v, ready %t", err, ready)
	}
	if err := Dev(t.Context(), t.TempDir(), Options{Log: discard}); err == nil || !strings.Contains(err.Error(), "frostctl fleet init") {
		t.Errorf("in a directory that is no fleet's: %v", err)
	}
}

// TestNodeWaitsForStreams: a node that starts before the administrator applied
// the streams waits, and can be stopped meanwhile.
func TestNodeWaitsForStreams(t *testing.T) {
	t.Parallel()
	dir, o := newFleet(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Log = slog.New(slog.NewTextHandler(onWrite(func(line string) {
		if strings.Contains(line, "waiting for the fleet's streams") {
			cancel()
		}
	}), nil))
	err := Node(ctx, loadNode(t, dir, 0), o)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "frostctl bus apply") {
		t.Errorf("got %v", err)
	}
}

// onWrite hears every log line.
type onWrite func(line string)

func (f onWrite) Write(p []byte) (int, error) { f(string(p)); return len(p), nil }

// TestWhenReady: f is called once, and never after the wait was ended.
func TestWhenReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready, called atomic.Int32
		fail := func() error {
			if ready.Load() == 0 {
				return errors.New("not yet")
			}
			return nil
		}
		stop := whenReady(t.Context(), fail, func() { called.Add(1) })
		time.Sleep(time.Second)
		ready.Store(1)
		time.Sleep(time.Second)
		stop()
		if called.Load() != 1 {
			t.Errorf("called %d times", called.Load())
		}
		ready.Store(0)
		stop = whenReady(t.Context(), fail, func() { t.Error("called after the end") })
		time.Sleep(time.Second)
		stop()
		ready.Store(1)
		time.Sleep(time.Second)
		whenReady(t.Context(), fail, nil)()
	})
}
