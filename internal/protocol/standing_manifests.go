package protocol

import "github.com/frostfleet/frostfleet/internal/wire"

// ManifestNodes is what a gateway knows of a manifest and of the nodes that it has.
type ManifestNodes struct {
	Manifest *wire.Manifest
	Batches  int // whose keys they have now
	Nodes    []NodePresence
}

// Manifests are those whose nodes the fleet needs now, oldest first: where keys are, and the one
// under which keys are generated. Who is of none of them is missed by nobody.
func (c *Coordinator) Manifests() (all []ManifestNodes) {
	forKeys := c.views.forKeys()
	for _, v := range c.views.chain {
		if v == forKeys || v.batches > 0 {
			all = append(all, ManifestNodes{Manifest: v.manifest, Batches: v.batches, Nodes: v.presence.known()})
		}
	}
	return all
}
