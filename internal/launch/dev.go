package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Dev runs the gateway and all nodes of a fleet directory in this process
// until ctx ends or one of them fails.
func Dev(ctx context.Context, dir string, o Options) error {
	file := filepath.Join(dir, fleet.GatewayFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: make a fleet with frostctl fleet init %s", err, dir)
	}
	g, err := config.LoadGateway(file)
	if err != nil {
		return err
	}
	m, err := config.LoadManifest(g.Gateway.Manifest)
	if err != nil {
		return err
	}
	nodes, errs := make([]*config.Node, m.N), make([]error, m.N)
	for i := range nodes {
		nodes[i], errs[i] = LoadNode(filepath.Join(dir, fleet.NodeFile(i)))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	shutdown, err := o.embed(ctx, g.Bus)
	if err != nil {
		return err
	}
	defer shutdown() // after all that uses it
	return All(ctx, g, nodes, nil, o)
}

// All runs a gateway and nodes in this process until ctx ends or one of them
// fails. devices are the nodes', opened already, which then are theirs to close;
// nil: each node opens its own.
func All(
	ctx context.Context, g *config.Gateway, nodes []*config.Node, devices []keyprovider.Provider, o Options,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	errs := make(chan error, 1+len(nodes))
	ready := make(chan struct{}, 1+len(nodes))
	each := o
	each.Ready = func() { ready <- struct{}{} }
	run := func(what string, f func() error) {
		running.Go(func() {
			defer cancel() // one that ends, ends the rest
			if err := f(); err != nil && !interrupted(ctx, err) {
				errs <- fmt.Errorf("%s: %w", what, err)
			}
		})
	}
	run("gateway "+g.Gateway.Name, func() error { return Gateway(ctx, g, each) })
	for i, n := range nodes {
		each := each
		if devices != nil {
			each.Device = devices[i]
		}
		run(fmt.Sprintf("node %d", n.Node.Index), func() error { return Node(ctx, n, each) })
	}
	if o.Ready != nil {
		running.Go(func() { whenAll(ctx, ready, cap(ready), o.Ready) })
	}
	running.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// whenAll calls f once n programs are ready.
func whenAll(ctx context.Context, ready <-chan struct{}, n int, f func()) {
	for range n {
		select {
		case <-ready:
		case <-ctx.Done():
			return
		}
	}
	f()
}
