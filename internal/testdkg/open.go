package testdkg

import (
	"context"
	"errors"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
)

func (t *trial) openDevices(ctx context.Context) error {
	for i, path := range t.Configs {
		n, err := launch.LoadNode(path)
		if err != nil {
			return err
		}
		d := &device{path: path, config: n, calls: map[string][]keyprovider.Call{}}
		t.step("opening %s (%s)", path, n.Node.KeyProvider.Type)
		options := launch.ProviderOptions{Options: keyprovider.Options{
			Pinned: launch.PinnedIdentity(n), Observe: d.observe, Log: t.Log.With("config", path), AskPIN: t.PIN,
			Scratch: t.nodeDir(i),
		}}
		if d.provider, err = launch.OpenProvider(ctx, n, options); err != nil {
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
