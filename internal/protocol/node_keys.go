package protocol

import (
	"errors"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a node reads in the register: entries of its own manifest's nodes, which complete
// what it certified and give back what its storage lost; those of later ones, by which its
// batches have moved; and of earlier ones what it needs to check a resharing.

func (n *Node) onKeys(msg readMessage) []Effect {
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
		return n.otherKeys(entry)
	}
	return n.resharer.onEntry(entry)
}

// otherKeys refuses a batch of which all nodes of a manifest certified other keys than the
// node's own records are of.
func (n *Node) otherKeys(e *board.Entry) []Effect {
	n.dealer.register.Refuse(e.ID)
	conflict := &board.ConflictError{ID: e.ID}
	return n.refuseBatch(badEntry(readMessage{}, conflict))
}

// badEntry reports what was dropped of KEYS, and why.
func badEntry(msg readMessage, err error) Report {
	r := Report{What: ReportBadEntry, Kind: wire.KindKeygen, ID: msg.Subject, Reason: err.Error(), Culprit: -1}
	if conflict, ok := errors.AsType[*board.ConflictError](err); ok {
		r.What, r.ID = ReportConflict, conflict.ID
	}
	return r
}

// refuseBatch has a batch's keys used no more.
func (n *Node) refuseBatch(conflict Report) []Effect {
	n.refused[conflict.ID] = true
	return append([]Effect{conflict, RefuseBatch{ID: conflict.ID}}, n.resharer.drop(conflict.ID)...)
}

// onOthersEntry takes an entry that another manifest's nodes certified. The register keeps
// it while it lacks deals and something here waits for them, and no longer: a node is no
// holder of other nodes' batches.
func (n *Node) onOthersEntry(e *board.Entry) []Effect {
	switch {
	case n.resharer.wants(e.Ref()):
		return n.resharer.onSource(e)
	case n.moved[e.ID] || !n.isLater(e):
	case !n.dealer.sameKeys(e.Entry):
		return n.otherKeys(e)
	case !e.Whole():
		return nil // its deals follow, or are read once more
	default:
		n.dealer.register.Forget(e.Ref())
		return n.move(e)
	}
	n.dealer.register.Forget(e.Ref())
	return nil
}
