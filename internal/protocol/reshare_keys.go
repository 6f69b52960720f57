package protocol

import (
	"slices"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a node reads in the register: entries of its own manifest's nodes, which complete
// what it certified and give back what its storage lost; those of later ones, by which its
// batches have moved; and of earlier ones what it needs to check a resharing.

// A batch has moved once the register has the whole entry of a later generation that the
// nodes of a later manifest certified: they all hold their shares. From then on this node
// signs for it no more, so that what its keys sign is seen in one place. Sessions that have
// drawn nonces go on: they are over in seconds.

func (n *resharer) onKeys(msg readMessage) []Effect {
	if head := msg.read.Head(); head != nil && !n.heads.put(head) {
		return n.otherKeys(head.ID)
	}
	entry, err := n.dealer.register.Put(msg.read)
	switch {
	case err != nil:
		report := badEntry(msg, err)
		if report.What == ReportConflict {
			return n.refuseBatch(report)
		}
		return []Effect{report}
	case entry == nil:
		return nil
	case entry.Manifest != n.cfg.Manifest.Hash():
		return n.onOthersEntry(entry)
	case entry.Generation == 0:
		return n.dealer.onEntry(entry)
	case !n.dealer.sameKeys(entry.Entry):
		return n.otherKeys(entry.ID)
	}
	return n.onEntry(entry)
}

// otherKeys refuses a batch of which all nodes of a manifest certified other keys than the
// node's own records are of, or than a head that was read for a request.
func (n *resharer) otherKeys(id string) []Effect {
	n.dealer.register.Refuse(id)
	conflict := &board.ConflictError{ID: id}
	return n.refuseBatch(badEntry(readMessage{}, conflict))
}

// refuseBatch has a batch's keys used no more.
func (n *resharer) refuseBatch(conflict Report) []Effect {
	n.refused[conflict.ID] = true
	return append([]Effect{conflict, RefuseBatch{ID: conflict.ID}}, n.drop(conflict.ID)...)
}

// onOthersEntry takes an entry that another manifest's nodes certified. The register keeps
// it while it lacks deals and something here waits for them, and no longer: a node is no
// holder of other nodes' batches.
func (n *resharer) onOthersEntry(e *board.Entry) []Effect {
	switch {
	case n.wants(e.Ref()):
		return n.onSource(e)
	case n.moved[e.ID] || !n.isLater(e):
	case !n.dealer.sameKeys(e.Entry):
		return n.otherKeys(e.ID)
	case !e.Whole():
		return nil // its deals follow, or are read once more
	default:
		n.dealer.register.Forget(e.Ref())
		return n.move(e)
	}
	n.dealer.register.Forget(e.Ref())
	return nil
}

// isLater reports whether an entry is of a generation that takes the place of this node's:
// of a later manifest than its own, and higher than what it has complete. Numbers of attempts
// that came to nothing are given out again. Of a batch that is not in the keystore, since that
// was lost and is being rebuilt, the entry itself says so: its shares came from this manifest's
// nodes.
func (n *resharer) isLater(e *board.Entry) bool {
	lineage, own := n.cfg.Lineage, n.cfg.Manifest.Hash()
	before := lineage.Before(lineage.Manifest(e.Manifest)) // it is known: the entry verified
	if !slices.ContainsFunc(before, func(m *wire.Manifest) bool { return m.Hash() == own }) {
		return false
	}
	if has, ok := n.dealer.completed(e.ID); ok {
		return e.Generation > has
	}
	return len(n.dealer.generations(e.ID)) > 0 || e.Source == own
}

// move notes that a batch has a later generation elsewhere.
func (n *resharer) move(e *board.Entry) []Effect {
	n.moved[e.ID] = true
	return append([]Effect{moveReport(ReportMoved, e.Reshare())}, n.dealer.markMoved(e.ID)...)
}
