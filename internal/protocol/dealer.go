package protocol

import (
	"maps"
	"time"

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
func (n *dealer) onMessage(msg wire.LogMessage, again bool) []Effect {
	n.lastKeys, n.keysTime = max(n.lastKeys, msg.Seq), later(n.keysTime, msg.Time)
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || slot.Kind.Signing() || n.known[slot.ID].Complete {
		return nil
	}
	log, changed := n.board.Put(msg)
	if !changed {
		return nil
	}
	if again {
		log.Asked()
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

// expire forgets what has outlived its use.
func (n *dealer) expire() {
	for _, b := range n.batches {
		b.expire(n.now)
	}
	// While an old record is read, a batch is as old as the rest of it makes it.
	now := n.now
	if n.keysTime.Before(now) {
		now = n.keysTime
	}
	n.board.Expire(now.Add(-boardLife))
}

// expire forgets a batch long after it began and the log last had something new
// of it. Late certificates bring a certified one back, by way of the log. Once its
// job has expired nobody waits for the batch, and it takes no memory of its own:
// else jobs of short lives could fill all memory while one node is away.
func (b *dkg) expire(now time.Time) {
	over := !b.expires.IsZero() && now.After(b.expires.Add(wire.ClockSkew))
	switch {
	case over && b.phase < dkgCertifying:
		b.forget()
		return
	case over && b.phase == dkgCertifying:
		b.node.board.Unpin(b.id)
	}
	if b.started.IsZero() {
		b.started = now
	}
	last := b.started
	if log := b.node.board.Get(b.id); log != nil {
		last = later(last, log.LastTime())
	}
	if now.Sub(last) > boardLife {
		b.forget()
	}
}
