package protocol

import (
	"maps"
	"slices"

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

// onAccess gives up every key generation that this node has not certified if the list
// changes whose messages in the rounds count. With a revoked node there is none. After a
// session key's revocation the gateway begins again: who read its deal before that, and
// who reads the rounds after it, would certify different deals.
func (n *dealer) onAccess(access, before *wire.Access) (effects []Effect) {
	if access.SameVoices(before) {
		return nil
	}
	f := fault{wire.CodeRestarted, "the access list revokes other session keys now; the gateway begins again", -1}
	if node := access.RevokedNode(n.cfg.Manifest); node >= 0 {
		err := errRevokedNode(node)
		f = fault{err.Code, err.Reason, node}
	}
	effects = n.beginAgain(f)
	n.board.Doubt()
	return effects
}

// beginAgain gives up every key generation that this node has not certified.
func (n *dealer) beginAgain(f fault) (effects []Effect) {
	for _, id := range slices.Sorted(maps.Keys(n.batches)) {
		if b := n.batches[id]; b.phase > dkgIdle && b.phase < dkgCertifying {
			effects = append(effects, b.giveUp(f)...)
		}
	}
	return effects
}
