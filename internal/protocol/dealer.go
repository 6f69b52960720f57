package protocol

import (
	"maps"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What reaches a node's batches from outside.

func newDealer(core *nodeCore) *dealer {
	return &dealer{
		nodeCore: core, batches: map[string]*dkg{}, known: maps.Collect(maps.All(core.cfg.Known)),
		board: board.New(core.cfg.Manifest, core.opener, maxBoardBytes),
	}
}

// onMessage keeps what the log has of every batch, also of those that this node
// has no task for: it may have been down when they were made.
func (n *dealer) onMessage(msg wire.LogMessage) []Effect {
	n.lastKeys = max(n.lastKeys, msg.Seq)
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || slot.Kind.Signing() || n.known[slot.ID].Complete {
		return nil
	}
	log, changed := n.board.Put(msg)
	if !changed {
		return nil
	}
	b := n.batches[slot.ID]
	if b == nil {
		b = &dkg{node: n, id: slot.ID}
	}
	return b.onLog(slot.Kind, log)
}

// onLog acts on a slot that just got its value.
func (b *dkg) onLog(kind wire.SlotKind, log *board.Batch) (effects []Effect) {
	switch kind {
	case wire.SlotDeal:
		effects = b.verify(log)
	case wire.SlotCert:
		if log.Incomplete() {
			effects = append(effects, Refetch{ID: b.id})
		}
	case wire.SlotAbort:
		// Work that led to nothing yet stops. n certificates win over any abort, so a
		// node that may have certified only waits.
		if b.phase > dkgIdle && b.phase < dkgCertifying {
			b.abort()
		}
		return nil
	}
	return append(effects, b.finish(log)...)
}

// recertify publishes again what a stored record certifies: the process that made
// it may have ended before its certificate was out. The transcript is the
// stored one, so this is the same certificate and no second.
func (n *dealer) recertify(e Recertify) []Effect {
	if n.batches[e.ID] != nil {
		return nil
	}
	n.known[e.ID] = KnownBatch{Transcript: e.Transcript}
	b := &dkg{node: n, id: e.ID, phase: dkgCertifying, certified: e.Transcript}
	log := b.work()
	log.Asked() // its certificates may lie before the cursor
	cert := wire.Certificate{Context: e.Context, Transcript: e.Transcript, Root: e.Root}
	effects := []Effect{b.publishCertificate(cert), Refetch{ID: e.ID}}
	return append(effects, b.finish(log)...)
}

// expire forgets a batch long after it began and the log last had something new
// of it. Late certificates bring a certified one back, by way of the log.
func (n *dealer) expire() {
	for id, b := range n.batches {
		if b.started.IsZero() {
			b.started = n.now
		}
		last := b.started
		if log := n.board.Get(id); log != nil && log.LastTime().After(last) {
			last = log.LastTime()
		}
		if n.now.Sub(last) > boardLife {
			b.forget()
		}
	}
	n.board.Expire(n.now.Add(-boardLife))
}
