package testdkg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
)

// device is the key provider of one configuration file, with its calls counted.
type device struct {
	path     string
	config   *config.Node
	provider keyprovider.Provider

	mu    sync.Mutex
	calls map[string][]keyprovider.Call // by operation
}

// observe counts a call to the device.
func (d *device) observe(c keyprovider.Call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[c.Operation] = append(d.calls[c.Operation], c)
}

func (t *trial) openDevices(ctx context.Context) error {
	for i, path := range t.Configs {
		n, err := config.LoadNode(path)
		if err != nil {
			return err
		}
		d := &device{path: path, config: n, calls: map[string][]keyprovider.Call{}}
		t.step("opening %s (%s)", path, n.Node.KeyProvider.Type)
		options := launch.ProviderOptions{
			Pinned: launch.PinnedIdentity(n), Observe: d.observe, Log: t.Log.With("config", path), PIN: t.PIN,
		}
		opened := n
		if n.Node.KeyProvider.Derivation == config.DerivationFile {
			// The secret of such a node lies in its storage_path. The run makes one of its own.
			options.Enrolling = true
			if opened, err = t.elsewhere(n, i); err != nil {
				return err
			}
		}
		if d.provider, err = launch.OpenProvider(ctx, opened, options); err != nil {
			return err
		}
		t.devices = append(t.devices, d)
	}
	return nil
}

// elsewhere is the configuration of node i with all its files in the run's
// temporary directory.
func (t *trial) elsewhere(n *config.Node, i int) (*config.Node, error) {
	c := *n
	c.Network.Type = network
	c.Server.Port = 0
	c.Node.Index, c.Node.MaxSigners, c.Node.MinSigners = i, t.report.N, t.report.T
	c.Node.StoragePath = filepath.Join(t.dir, fmt.Sprintf("node%d", i))
	c.Node.Manifest = filepath.Join(t.fleetDir(), "manifest.json")
	c.Node.Access = filepath.Join(t.fleetDir(), "access.toml")
	return &c, os.MkdirAll(c.Node.StoragePath, 0o700)
}

// closeDevices closes those that no node has taken over.
func (t *trial) closeDevices() error {
	var errs []error
	for _, d := range t.devices {
		if d.provider != nil {
			errs = append(errs, d.provider.Close())
		}
	}
	return errors.Join(errs...)
}
