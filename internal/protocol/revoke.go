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

// checkAccess refuses key generations with a node that is revoked.
func (n *nodeCore) checkAccess(e taskOpened) error {
	if node := n.cfg.Access.RevokedNode(n.cfg.Manifest); e.header != nil && node >= 0 {
		return errRevokedNode(node)
	}
	return nil
}

// revoked returns why a list that takes something away ends a batch, nil if it does
// not. Whichever gateway began a batch, it is its client's.
func (b *dkg) revoked(access, before *wire.Access) *fault {
	if node := access.RevokedNode(b.node.cfg.Manifest); node >= 0 {
		return &fault{wire.CodeRevoked, errRevokedNode(node).Reason, node}
	}
	if b.header == nil || access.StillAllows(before, b.header.Client, wire.KindKeygen) {
		return nil
	}
	return &fault{wire.CodeUnknownClient, "the access list has the job's client no more, or not as it was", -1}
}
