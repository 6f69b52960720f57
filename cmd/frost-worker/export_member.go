package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// member is this device's node in a manifest: what a worker's machine is once for each
// manifest that it belongs to.
type member struct {
	manifest *wire.Manifest
	index    int
	storage  string
}

// memberOf is the node of the configured manifest, or that of a later one of the same fleet.
func memberOf(ctx context.Context, n *config.Node, p keyprovider.Provider, configured *wire.Manifest, path string) (
	m member, err error) {
	m = member{manifest: configured, index: n.Node.Index}
	if path != "" {
		if m.manifest, err = config.LoadManifest(path); err != nil {
			return m, err
		}
		if m.manifest.FleetID() != configured.FleetID() || m.manifest.Network != configured.Network {
			return m, fmt.Errorf("--manifest %s is of another fleet than %s", path, n.Node.Manifest)
		}
		card, err := worker.Card(ctx, p, m.manifest.Fleet, m.manifest.Epoch, 0)
		if err != nil {
			return m, err
		}
		m.index = -1
		for i, node := range m.manifest.Nodes {
			if bytes.Equal(node.Identity, card.Identity) {
				m.index = i
			}
		}
		if m.index < 0 {
			return m, fmt.Errorf("--manifest %s: this device has no node in it", path)
		}
	}
	m.storage = worker.StorageOf(n.Node.StoragePath, m.manifest)
	return m, nil
}
