package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

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
	if o.HTTP != nil {
		if err := o.HTTP(g); err != nil {
			return err
		}
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
	errs := make([]error, 1+len(nodes)) // the gateway's last
	var unready atomic.Int64
	unready.Store(int64(len(errs)))
	each := o
	each.Ready = func() {
		if unready.Add(-1) == 0 && o.Ready != nil {
			o.Ready()
		}
	}
	run := func(i int, what string, f func() error) {
		running.Go(func() {
			defer cancel() // one that ends, ends the rest
			if err := f(); err != nil && !interrupted(ctx, err) {
				errs[i] = fmt.Errorf("%s: %w", what, err)
			}
		})
	}
	run(len(nodes), "gateway "+g.Gateway.Name, func() error { return Gateway(ctx, g, each) })
	for i, n := range nodes {
		each := each
		if devices != nil {
			each.Device = devices[i]
		}
		run(i, fmt.Sprintf("node %d", n.Node.Index), func() error { return Node(ctx, n, each) })
	}
	running.Wait()
	return errors.Join(errs...)
}
