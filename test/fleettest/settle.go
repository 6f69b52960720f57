package fleettest

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/keystore"
)

// StopNodeWith stops node i when its storage has so many whole batches. A client has its keys
// as soon as the register has them, and a node may read that later: what it has missed it
// reads when it starts again.
func (f *Fleet) StopNodeWith(i, batches int) {
	f.t.Helper()
	for deadline := time.Now().Add(startTime); ; f.StartNode(i) {
		f.StopNode(i)
		whole := 0
		err := keystore.Copies(f.NodeConfig(i).Node.StoragePath, func(c *keystore.Copy) error {
			if c.Certificates != nil {
				whole++
			}
			return nil
		})
		if err != nil {
			f.t.Fatal(err)
		}
		if whole >= batches {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("node %d has %d whole batches, and not %d", i, whole, batches)
		}
	}
}
