package gateway

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestDirectoryIsGiven: a gateway's directory has a key with its job and its address once the job
// is done, and after a restart of both without the file.
func TestDirectoryIsGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startNode()
	var id, address string
	for round := range 2 {
		var gw *Gateway
		d, err := directory.Open(w.Context(), directory.Config{
			Path: filepath.Join(t.TempDir(), "directory.db"), Bus: w.Bus, Manifest: w.Manifest, Log: w.Logger(),
			Known:  func() wire.ManifestSet { return gw.Lineage() },
			Access: func() *wire.Access { return w.Access },
		})
		if err != nil {
			t.Fatal(err)
		}
		g, stop := w.startWith(func(c *Config) { c.Directory = d })
		gw = g
		ctx, cancel := context.WithCancel(w.Context())
		var run sync.WaitGroup
		run.Go(func() {
			if err := d.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		if round == 0 {
			var job wire.SignedJob
			job, id = w.newJob(time.Minute)
			w.Publish(job)
			address = w.Result(id).Keys[0].Address
		}
		eventually(t, "the directory is ready", func() bool { return d.Ready() == nil })
		eventually(t, "the directory has the key", func() bool {
			k, err := d.ByAddress("", address)
			return err == nil && k.Job == id && k.Address == address
		})
		eventually(t, "and its job", func() bool {
			j, err := d.Job("", id)
			return err == nil && j.State == directory.Done && j.Done == 1 && j.Gateway != ""
		})
		stop()
		cancel()
		run.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
