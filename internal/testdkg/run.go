package testdkg

import (
	"context"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/natsserver"
)

// runFleet runs the gateway and the nodes, and calls use once all are ready. The
// error of a program that ended explains more than that of a client which waited
// for it, so it comes first.
func (t *trial) runFleet(ctx context.Context, server *natsserver.Server, use func(context.Context) error) error {
	g, err := config.LoadGateway(filepath.Join(t.fleetDir(), fleet.GatewayFile))
	if err != nil {
		return err
	}
	g.Server.Port = 0
	g.Bus = config.Bus{Embedded: true, StorePath: t.storeDir()}
	nodes, devices := make([]*config.Node, len(t.devices)), make([]keyprovider.Provider, len(t.devices))
	for i, d := range t.devices {
		if nodes[i], err = t.elsewhere(d.config, i); err != nil {
			return err
		}
	}
	for i, d := range t.devices {
		devices[i], d.provider = d.provider, nil // the node closes it
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	ready, ended := make(chan struct{}), make(chan error, 1)
	options := launch.Options{Log: t.Log, Embedded: server, Ready: func() { close(ready) }}
	go func() {
		defer cancel()
		ended <- launch.All(running, g, nodes, devices, options)
	}()
	select {
	case <-ready:
		err = use(running)
	case <-running.Done():
		err = running.Err()
	}
	cancel()
	if failure := <-ended; failure != nil && ctx.Err() == nil {
		return failure
	}
	return err
}
