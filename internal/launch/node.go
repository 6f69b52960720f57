package launch

import (
	"context"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// nodeManifest loads the manifest and holds the file against it.
func nodeManifest(n *config.Node) (*protocol.Manifest, error) {
	m, err := LoadManifest(n.Node.Manifest)
	if err != nil {
		return nil, err
	}
	return m, n.CheckManifest(m.N, m.T, m.Network, len(m.Nodes))
}

// Node runs a worker until ctx ends. Its server answers from the beginning, so
// that /readyz tells what a node waits for that does not get ready.
func Node(ctx context.Context, n *config.Node, o Options) (err error) {
	log := o.Log.With("node", n.Node.Index)
	if err := mustDerive(ctx, n); err != nil {
		return err
	}
	m, err := nodeManifest(n)
	if err != nil {
		return err
	}
	access, err := LoadAccess(n.Node.Access)
	if err != nil {
		return err
	}
	registry := telemetry.NewRegistry()
	metrics := telemetry.NewMetrics(registry)
	metrics.ForProvider(n.Node.KeyProvider.Type, prices(n))
	deviceCheck, busCheck, workerCheck := waiting("opening"), waiting("not connected yet"), waiting("starting")
	stop, err := listen(n.Server, registry, []telemetry.Check{
		{Name: "key_provider", Fail: deviceCheck.Fail}, {Name: "bus", Fail: busCheck.Fail}, {Name: "worker", Fail: workerCheck.Fail},
	}, log)
	if err != nil {
		return err
	}
	defer stop()

	metrics.ProviderState(keyprovider.ErrClosed) // down, for no reason of the device's
	back, err := OpenProvider(ctx, n, ProviderOptions{
		Pinned: m.Identity(n.Node.Index), Observe: metrics.ProviderCall, Log: log, PIN: o.PIN,
		Unlock: true, Waiting: func(err error) { deviceCheck.wait(err.Error()); metrics.ProviderState(err) },
	})
	if err != nil {
		return err
	}
	metrics.ProviderState(nil)
	device := keyprovider.Harden(back, Policy(n), metrics)
	defer func() { err = errors.Join(err, device.Close()) }()
	deviceCheck.open(device.Ready)

	busCheck.wait("connecting to NATS")
	conn, err := connect(ctx, n.Bus, m.Fleet, fmt.Sprintf("worker-%d", n.Node.Index), o, false)
	if err != nil {
		return err
	}
	defer closeBus(conn, log)
	busCheck.wait("waiting for the fleet's streams: frostctl bus apply")
	if err := awaitStreams(ctx, conn, log); err != nil {
		return err
	}
	busCheck.open(conn.Healthy)

	w, err := worker.New(ctx, worker.Config{
		Manifest: m, Access: access, Index: n.Node.Index, Storage: n.Node.StoragePath,
		Provider: device, Bus: conn, Log: log, Observe: metrics,
	})
	if err != nil {
		return err
	}
	workerCheck.open(w.Ready)
	telemetry.Gauge(registry, "keys", "Keys that this node holds a share of.", func() float64 { _, keys, _, _ := w.Stats(); return float64(keys) })
	telemetry.Gauge(registry, "batches_in_work", "Batches that this node is dealing in.", func() float64 { _, _, dealing, _ := w.Stats(); return float64(dealing) })
	telemetry.Gauge(registry, "nonces_held", "Signing sessions for which this node holds nonces.", func() float64 { _, _, _, nonces := w.Stats(); return float64(nonces) })
	defer whenReady(ctx, w.Ready, o.Ready)()
	return w.Run(ctx)
}

// prices are what the node's device costs, by its file.
func prices(n *config.Node) telemetry.Prices {
	k := &n.Node.KeyProvider
	keys := 0
	if k.Type == config.AWSKMS {
		keys = 1
		if k.DerivationKeyID != "" {
			keys = 2
		}
		keys *= max(1, len(k.Regions)) // a replica is charged as a key
	}
	return telemetry.Prices{
		Sign: k.Prices.Sign, Derive: k.Prices.Derive, PublicKey: k.Prices.PublicKey, Describe: k.Prices.Describe,
		KeyMonth: k.Prices.KeyMonth, Keys: keys,
	}
}
