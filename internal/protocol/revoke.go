package protocol

import (
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What an access list that takes something away means for work in progress.
//
// Messages of whoever is revoked count no more from here on. What counted already
// may be theirs, so a node leaves every session that is not over, and a gateway
// opens new attempts: that costs a retry, and nobody has to know who said what.
// Key generation needs all nodes, so while one is revoked there is none; finished
// batches stay what they are.

func errRevokedNode(node int) *wire.JobError {
	return wire.Refuse(wire.CodeRevoked, "node %d is revoked in the access list, and key generation needs all nodes: "+
		"the fleet needs a manifest without it", node)
}

// checkAccess refuses what the access list has taken away since a task was opened,
// and key generations with a node that is revoked.
func (n *nodeCore) checkAccess(e taskOpened) error {
	access, m := n.cfg.Access, n.cfg.Manifest
	if e.access != access {
		if err := e.task.Job.Authenticate(m, access); err != nil {
			return err
		}
	}
	if node := access.RevokedNode(m); e.header != nil && node >= 0 {
		return errRevokedNode(node)
	}
	return nil
}
