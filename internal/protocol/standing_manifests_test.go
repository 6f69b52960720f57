package protocol

import (
	"fmt"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// The nodes are needed that have keys, and those under which keys are generated. Those of a
// manifest that all keys have left are not, whoever of them is away.
func TestManifestsThatAreNeeded(t *testing.T) {
	c := newChanging(t, 2, 3)
	needed := func() (s string) {
		for _, of := range c.desk.Manifests() {
			if len(of.Nodes) != of.Manifest.N {
				t.Errorf("%d nodes of %d", len(of.Nodes), of.Manifest.N)
			}
			s += fmt.Sprintf("epoch %d: %d, ", of.Manifest.Epoch, of.Batches)
		}
		return s
	}
	equal(t, "before a next node is heard", needed(), "epoch 0: 4, ")
	c.heard(1, nil, 0, 1, 2)
	equal(t, "once all are heard", needed(), "epoch 0: 4, epoch 1: 0, ")
	c.desk.mover.most = 1
	hash := c.next().m.Hash()
	c.desk.do(PaceChanged{&wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: true}})
	c.pause()
	equal(t, "while keys move", needed(), "epoch 0: 3, epoch 1: 1, ")
	c.start()
	equal(t, "at the end", needed(), "epoch 1: 4, ")
	c.life()
	equal(t, "in another life", needed(), "epoch 1: 4, ")
}
