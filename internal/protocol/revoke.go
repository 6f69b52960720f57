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

// checkAccess refuses key generations with a node that is revoked, and for whom is frozen.
func (n *nodeCore) checkAccess(e taskOpened) error {
	if node := n.cfg.Access.RevokedNode(n.cfg.Manifest); e.header != nil && node >= 0 {
		return errRevokedNode(node)
	}
	if e.header == nil {
		return nil
	}
	if err := n.frozen().Client(e.header.Client); err != nil {
		return err
	}
	return nil
}

// onAccess gives up key generations that this node has not certified: every one if the
// list changes whose messages in the rounds count. With a revoked node there is none.
// After a session key's revocation the gateway begins again: who read its deal before
// that, and who reads the rounds after it, would certify different deals.
func (n *dealer) onAccess(access, before *wire.Access) []Effect {
	n.disownWaiting(access, before)
	if access.SameVoices(before) {
		return n.giveUpEach(func(b *dkg) *fault { return b.disowned(access, before) })
	}
	f := fault{wire.CodeRestarted, "the access list revokes other session keys now; the gateway begins again", -1}
	if node := access.RevokedNode(n.cfg.Manifest); node >= 0 {
		err := errRevokedNode(node)
		f = fault{err.Code, err.Reason, node}
	}
	effects := n.beginAgain(f)
	n.board.Doubt()
	return effects
}

// disowned returns why a list ends a batch of a client that it no longer has, nil if it
// has it still. Whichever gateway began a batch, it is its client's.
func (b *dkg) disowned(access, before *wire.Access) *fault {
	if b.header == nil || access.StillAllows(before, b.header.Client, wire.KindKeygen) {
		return nil
	}
	return &fault{wire.CodeUnknownClient, "the access list has the job's client no more, or not as it was", -1}
}

// beginAgain gives up every key generation that this node has not certified.
func (n *dealer) beginAgain(f fault) []Effect {
	return n.giveUpEach(func(*dkg) *fault { return &f })
}

// giveUpEach gives up what this node has not certified and has a reason to end.
func (n *dealer) giveUpEach(reason func(*dkg) *fault) (effects []Effect) {
	for _, id := range slices.Sorted(maps.Keys(n.batches)) {
		b := n.batches[id]
		if b.phase <= dkgIdle || b.phase >= dkgCertifying {
			continue
		}
		if f := reason(b); f != nil {
			effects = append(effects, b.giveUp(*f)...)
		}
	}
	return effects
}
