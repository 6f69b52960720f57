// Package fleettest runs a whole fleet inside a test: real workers and a real
// gateway on a real NATS JetStream with files, in one process.
package fleettest

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Options of a fleet; the zero value is 2-of-3 on regtest with software keys.
type Options struct {
	N, T    int
	Network string
	// Providers are the sections [node.key_provider], without that line, of
	// the nodes that have no software keys.
	Providers map[int]string
	// BeforeStart may change the fleet directory.
	BeforeStart func(dir string)

	// Flags of each worker and gateway, in fleets of processes.
	Flags []string

	// For fleets in one process alone: where programs serve health and metrics,
	// the gateway first (none: nowhere), what they log to, and whether their
	// metrics stand still (launch.Options.Observe).
	Ports      []int
	Log        *slog.Logger
	Unobserved bool
}

func (o Options) withDefaults() Options {
	if o.N == 0 {
		o.N, o.T = 3, 2
	}
	if o.Network == "" {
		o.Network = "regtest"
	}
	return o
}

// initialise writes the fleet's directory.
func (o Options) initialise(t T, dir, busURL string, ports []int) *wire.Manifest {
	t.Helper()
	m, err := fleet.Init(t.Context(), dir, fleet.Options{
		Name:          Name,
		Network:       o.Network,
		N:             o.N,
		T:             o.T,
		AttestSigning: true,
		BusURL:        busURL,
		Client:        Client,
		ServerPorts:   ports,
		AllowInsecure: o.Network == "mainnet", // of tests, where nothing of value is at stake
	})
	if err != nil {
		t.Fatal(err)
	}
	UseProviders(t, dir, m, o.Providers)
	if o.BeforeStart != nil {
		o.BeforeStart(dir)
	}
	return m
}

// Name of every test fleet, and of its client.
const (
	Name   = "test"
	Client = "client0"
)

// Fleet is a running fleet.
type Fleet struct {
	URL      string // of NATS
	Dir      string // as frostctl fleet init writes it
	Manifest *wire.Manifest
	Server   *natsserver.Server

	t     testing.TB
	run   launch.Options // of each program
	mu    sync.Mutex
	stops map[string]func()
}

// Start runs a fleet until the test ends.
func Start(t testing.TB, o Options) *Fleet {
	t.Helper()
	f := Prepare(t, o)
	f.StartGateway()
	for i := range f.Manifest.N {
		f.StartNode(i)
	}
	return f
}

// Prepare makes the bus, its streams and the fleet directory, and starts no
// program.
func Prepare(t testing.TB, o Options) *Fleet {
	t.Helper()
	o = o.withDefaults()
	server, err := natsserver.Start(natsserver.Config{StoreDir: t.TempDir(), Port: -1, SyncAlways: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	if o.Log == nil {
		o.Log = logger(t)
	}
	f := &Fleet{
		URL:    server.URL(),
		Dir:    filepath.Join(t.TempDir(), "fleet"),
		Server: server,
		t:      t,
		run:    launch.Options{Log: o.Log},
		stops:  map[string]func(){},
	}
	if o.Unobserved {
		f.run.Observe = silent{}
	}
	f.Manifest = o.initialise(t, f.Dir, f.URL, o.Ports)
	admin := f.Bus()
	if err := admin.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return f
}

// logger writes to the test's log if FROSTFLEET_TEST_LOG names a level.
func logger(t testing.TB) *slog.Logger {
	level := os.Getenv("FROSTFLEET_TEST_LOG")
	if level == "" {
		return slog.New(slog.DiscardHandler)
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		t.Fatalf("FROSTFLEET_TEST_LOG: %v", err)
	}
	return slog.New(slog.NewTextHandler(io.Writer(os.Stderr), &slog.HandlerOptions{Level: l}))
}

// Bus connects to the fleet's streams with all rights.
func (f *Fleet) Bus() *bus.Bus {
	f.t.Helper()
	b, err := bus.Connect(f.t.Context(), bus.Options{Fleet: Name, Nodes: f.Manifest.N, Embedded: f.Server, Name: "test"})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = b.Close(context.Background()) })
	return b
}

// ClientFile is the client's configuration.
func (f *Fleet) ClientFile() string { return filepath.Join(f.Dir, fleet.ClientFile) }

// NodeConfig loads node i's configuration.
func (f *Fleet) NodeConfig(i int) *config.Node {
	f.t.Helper()
	n, err := launch.LoadNode(filepath.Join(f.Dir, fleet.NodeFile(i)))
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// StartNode runs node i and returns when it is ready.
func (f *Fleet) StartNode(i int) {
	f.t.Helper()
	n := f.NodeConfig(i)
	f.start(fleet.NodeFile(i), func(ctx context.Context, o launch.Options) error { return launch.Node(ctx, n, o) })
}

// StartGateway runs the gateway and returns when it is ready.
func (f *Fleet) StartGateway() {
	f.t.Helper()
	g, err := config.LoadGateway(filepath.Join(f.Dir, fleet.GatewayFile))
	if err != nil {
		f.t.Fatal(err)
	}
	f.start(fleet.GatewayFile, func(ctx context.Context, o launch.Options) error { return launch.Gateway(ctx, g, o) })
}

// startTime is how long a program may take to get ready under the race
// detector on a busy machine.
const startTime = 3 * time.Minute

func (f *Fleet) start(name string, program func(context.Context, launch.Options) error) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	options := f.run
	options.Ready = func() { close(ready) }
	go func() { ended <- program(ctx, options) }()
	f.mu.Lock()
	f.stops[name] = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Errorf("%s: %v", name, err)
		}
	})
	f.mu.Unlock()
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		f.t.Fatalf("%s ended at start: %v", name, err)
	case <-time.After(startTime):
		f.t.Fatalf("%s is not ready after %s", name, startTime)
	}
}

// StopNode stops node i in order.
func (f *Fleet) StopNode(i int) { f.stop(fleet.NodeFile(i)) }

// StopGateway stops the gateway in order.
func (f *Fleet) StopGateway() { f.stop(fleet.GatewayFile) }

func (f *Fleet) stop(name string) {
	f.mu.Lock()
	stop := f.stops[name]
	delete(f.stops, name)
	f.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// WipeNode removes what node i stored; it must be stopped.
func (f *Fleet) WipeNode(i int) {
	f.t.Helper()
	if err := os.RemoveAll(f.NodeConfig(i).Node.StoragePath); err != nil {
		f.t.Fatal(err)
	}
}

// Stop stops everything but the bus.
func (f *Fleet) Stop() {
	f.mu.Lock()
	var names []string
	for name := range f.stops {
		names = append(names, name)
	}
	f.mu.Unlock()
	for _, name := range names {
		f.stop(name)
	}
}
