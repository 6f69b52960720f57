package launch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// Provider opens the key provider that a node's file names.
func Provider(n *config.Node) (keyprovider.Provider, error) {
	p := n.Node.KeyProvider
	switch p.Type {
	case config.Software:
		provider, err := software.Open(software.Options{Path: p.KeyFile, Network: n.Network.Type, AllowInsecure: p.AllowInsecure})
		if err != nil {
			return nil, err
		}
		return provider, nil
	}
	return nil, fmt.Errorf("[node.key_provider] type = %q: this version has the software provider only; AWS KMS and PKCS#11 come with the next one", p.Type)
}

// nodeManifest loads the manifest and holds the file against it.
func nodeManifest(n *config.Node) (*protocol.Manifest, error) {
	m, err := LoadManifest(n.Node.Manifest)
	if err != nil {
		return nil, err
	}
	return m, n.CheckManifest(m.N, m.T, m.Network, len(m.Nodes))
}

// Node runs a worker until ctx ends.
func Node(ctx context.Context, n *config.Node, o Options) (err error) {
	log := o.Log.With("node", n.Node.Index)
	m, err := nodeManifest(n)
	if err != nil {
		return err
	}
	access, err := LoadAccess(n.Node.Access)
	if err != nil {
		return err
	}
	provider, err := Provider(n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeProvider(provider)) }()
	conn, err := connect(ctx, n.Bus, m.Fleet, fmt.Sprintf("worker-%d", n.Node.Index), o, false)
	if err != nil {
		return err
	}
	defer closeBus(conn, log)
	if err := awaitStreams(ctx, conn, log); err != nil {
		return err
	}
	registry := telemetry.NewRegistry()
	w, err := worker.New(ctx, worker.Config{
		Manifest: m, Access: access, Index: n.Node.Index, Storage: n.Node.StoragePath,
		Provider: provider, Bus: conn, Log: log, Observe: telemetry.NewMetrics(registry),
	})
	if err != nil {
		return err
	}
	telemetry.Gauge(registry, "keys", "Keys that this node holds a share of.", func() float64 { _, keys, _, _ := w.Stats(); return float64(keys) })
	telemetry.Gauge(registry, "batches_in_work", "Batches that this node is dealing in.", func() float64 { _, _, dealing, _ := w.Stats(); return float64(dealing) })
	telemetry.Gauge(registry, "nonces_held", "Signing sessions for which this node holds nonces.", func() float64 { _, _, _, nonces := w.Stats(); return float64(nonces) })
	stop, err := listen(n.Server, registry, []telemetry.Check{{Name: "worker", Fail: w.Ready}, {Name: "bus", Fail: conn.Healthy}}, log)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	defer stop()
	defer whenReady(ctx, w.Ready, o.Ready)()
	return w.Run(ctx)
}

// closeProvider bounds the wait for a device that answers no more: its calls
// end with the process.
func closeProvider(p keyprovider.Provider) error {
	closed := make(chan error, 1)
	go func() { closed <- p.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(closeTime):
		return fmt.Errorf("key provider did not close within %s: it has a call under way that does not end", closeTime)
	}
}
