package testdkg

import (
	"context"
	"errors"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
)

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
