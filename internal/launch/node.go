package launch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/buswatch"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// nodeManifest loads the manifest and checks the node's file against it.
func nodeManifest(n *config.Node) (*wire.Manifest, error) {
	m, err := config.LoadManifest(n.Node.Manifest)
	if err != nil {
		return nil, err
	}
	return m, n.CheckManifest(m.N, m.T, m.Network, len(m.Nodes))
}

// Node runs a worker until ctx ends. What this machine alone can tell is checked
// before anything is dialed. The HTTP server answers from the beginning, so that
// /readyz says what a node waits for.
func Node(ctx context.Context, n *config.Node, o Options) (err error) {
	log := o.Log.With("node", n.Node.Index)
	m, errManifest := nodeManifest(n)
	access, errAccess := LoadAccess(n.Node.Access)
	if err := errors.Join(requireDerivationKey(n), errManifest, errAccess); err != nil {
		return err
	}
	name := fmt.Sprintf("worker-%d", n.Node.Index)
	tracer, sendSpans, err := trace(ctx, "frost-worker", name, log)
	if err != nil {
		return err
	}
	defer sendSpans()
	registry := telemetry.NewRegistry()
	metrics := telemetry.NewMetrics(registry, identity(m, telemetry.RoleWorker, name))
	observe := o.observer(metrics)
	metrics.ForProvider(n.Node.KeyProvider.Backend, n.Node.KeyProvider.Section.Charges())
	deviceCheck, busCheck, workerCheck := waiting("opening"), waiting("not connected yet"), waiting("starting")
	storeCheck, lagCheck, manifestCheck := waiting(notYet), waiting(notYet), waiting(notYet)
	stop, err := listen(n.Server, registry, []telemetry.Check{
		{Name: "key_provider", Fail: deviceCheck.Fail}, {Name: "bus", Fail: busCheck.Fail},
		{Name: "keystore", Fail: storeCheck.Fail}, {Name: "lag", Fail: lagCheck.Fail},
		{Name: "manifest", Fail: manifestCheck.Fail}, {Name: "worker", Fail: workerCheck.Fail},
	}, log)
	if err != nil {
		return err
	}
	defer stop()

	observe.ProviderState(keyprovider.ErrClosed) // down, and not because of the device
	back := o.Device
	if back == nil {
		back, err = OpenProvider(ctx, n, ProviderOptions{
			Options: keyprovider.Options{
				Pinned: m.Identity(n.Node.Index), Observe: observe.ProviderCall, Log: log, AskPIN: o.PIN,
			},
			Waiting: func(err error) { deviceCheck.wait(err.Error()); observe.ProviderState(err) },
		})
	}
	if err != nil {
		return err
	}
	observe.ProviderState(nil)
	device := keyprovider.Supervise(back, Policy(n), observe)
	defer func() { err = errors.Join(err, device.Close()) }()
	deviceCheck.open(device.Ready)

	busCheck.wait("connecting to NATS")
	conn, err := connect(ctx, n.Bus, m, name, o, observe, false)
	if err != nil {
		return err
	}
	defer closeBus(conn, log)
	busCheck.wait("waiting for the fleet's streams: frostctl bus apply")
	if err := awaitStreams(ctx, conn, log); err != nil {
		return err
	}
	busCheck.open(conn.Healthy)
	watcher := buswatch.New(conn, buswatch.Options{Log: log})
	lagCheck.open(watcher.Lagging)
	defer o.watch(ctx, conn, watcher, m, metrics, manifestCheck)()

	w, err := worker.New(ctx, worker.Config{
		Manifest: m, Access: access, Index: n.Node.Index, Storage: n.Node.StoragePath,
		Provider: device, Bus: conn, Log: log, Observe: observe, Tracer: tracer,
	})
	if err != nil {
		return err
	}
	workerCheck.open(w.Ready)
	storeCheck.open(w.Keystore)
	nodeMetrics(registry, metrics, w, n.Node.StoragePath)
	defer whenReady(ctx, w.Ready, o.Ready)()
	return w.Run(ctx)
}

// nodeMetrics registers what only a running worker can tell.
func nodeMetrics(registry *prometheus.Registry, metrics *telemetry.Metrics, w *worker.Worker, storage string) {
	metrics.Disk("storage", storage)
	metrics.Keystore(filepath.Join(storage, keystore.FileName))
	metrics.Nonces(w.NonceCounts)
	telemetry.Gauge(registry, "keys", "Keys that this node holds a share of.",
		func() float64 { _, keys, _, _ := w.Stats(); return float64(keys) })
	telemetry.Gauge(registry, "batches_in_work", "Batches that this node is dealing in.",
		func() float64 { _, _, dealing, _ := w.Stats(); return float64(dealing) })
	telemetry.Gauge(registry, "nonces_held", "Signing sessions for which this node holds nonces.",
		func() float64 { _, _, _, nonces := w.Stats(); return float64(nonces) })
	telemetry.Gauge(registry, "session_key_expires_timestamp_seconds",
		"Until when this node speaks with its session key, unless that is renewed; 0 while it has none.",
		func() float64 { return unix(w.SpeaksUntil()) })
}
