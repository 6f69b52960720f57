package protocol

import (
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What reaches a node's batches from outside.

func newDealer(core *nodeCore) *dealer {
	n := &dealer{
		nodeCore: core, batches: map[string]*dkg{}, parts: map[partID]*part{}, known: map[wire.BatchRef]KnownBatch{},
		later: map[string][]uint32{},
	}
	n.board = board.New(core.cfg.Manifest, core.opener, maxBoardBytes)
	n.register = board.NewRegister(maxBoardBytes, func(ref wire.BatchRef) ([32]byte, bool) {
		known := n.known[ref]
		return known.Transcript, known.Complete
	})
	for ref, k := range core.cfg.Known {
		if n.know(ref, k); k.Complete {
			n.held.Add(wire.NewHolding(ref.ID, k.Transcript))
		}
		if k.Moved {
			n.moved[ref.ID] = true
		}
	}
	n.held.Digests() // now, and not while somebody waits
	return n
}

// onRounds keeps what the rounds have of every batch, also of those that this node
// has no task for yet.
func (n *dealer) onRounds(msg wire.LogMessage, again bool) []Effect {
	n.seen.rounds = later(n.seen.rounds, msg.Time)
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || slot.Kind.Signing() || n.known[wire.BatchRef{ID: slot.ID}].Complete {
		return nil
	}
	put := n.board.Put
	if again {
		put = n.board.PutAgain
	}
	log, changed := put(msg)
	b := n.batches[slot.ID]
	if b != nil && slot.Node == n.cfg.Index {
		b.hear(slot.Kind)
	}
	if !changed {
		return nil
	}
	if again {
		log.Asked()
	}
	if b != nil {
		return b.onLog(slot.Kind, log)
	}
	return nil
}

// onLog acts on a slot that just got its value. Certificates are for gateways: a
// node believes the entry that is made of them.
func (b *dkg) onLog(kind wire.SlotKind, log *board.Batch) []Effect {
	switch kind {
	case wire.SlotDeal:
		return b.verify(log)
	case wire.SlotAbort:
		// Work that led to nothing yet stops. n certificates win over any abort, so a
		// node that may have certified only waits.
		if b.phase > dkgIdle && b.phase < dkgCertifying {
			b.abort()
		}
	}
	return nil
}

// onEntry takes an entry of a key generation of this manifest's nodes: it completes what
// this node certified, and gives back what its storage lost.
func (n *dealer) onEntry(entry *board.Entry) []Effect {
	b := n.batches[entry.ID]
	if b == nil {
		b = &dkg{node: n, id: entry.ID}
	}
	return b.onEntry(entry)
}

// heldDeal is the deal that a subject of KEYS is for, if the node has it of the rounds.
func (n *dealer) heldDeal(subject string) (held Held) {
	id, generation, deal, ok := wire.ParseEntryDeal(subject)
	if log := n.board.Get(id); ok && generation == 0 && log != nil {
		held = log.Kept(deal)
	}
	return held
}

// recertify says again what a stored record certifies: the process that made it may
// have ended before that was out, and the rounds forget. The transcript is the
// stored one, so this is the same certificate and no second.
func (n *dealer) recertify(e Recertify) []Effect {
	id := e.Batch.ID
	b := n.batches[id]
	switch {
	case n.known[e.Batch].Complete || b != nil && b.phase != dkgCertifying:
		return nil
	case b == nil:
		n.know(e.Batch, KnownBatch{Transcript: e.Transcript, MadeBy: e.Transcript})
		b = &dkg{node: n, id: id, phase: dkgCertifying, certified: e.Transcript}
		b.work()
	}
	cert := wire.Certificate{Context: e.Context, Transcript: e.Transcript, Root: e.Root}
	effects := []Effect{b.say(wire.SlotDeal, e.Deal), b.publishCertificate(cert)}
	if entry := n.register.Get(e.Batch); entry != nil {
		effects = append(effects, b.onEntry(entry)...)
	}
	return effects
}

// expire forgets what has outlived its use, and has entries that lack deals read
// once more.
func (n *dealer) expire() (effects []Effect) {
	for _, id := range slices.Sorted(maps.Keys(n.batches)) { // in one order, so that a simulation replays
		b := n.batches[id]
		if b.expire(n.now); b.current(dkgDealt) {
			effects = append(effects, b.verify(n.board.Get(id))...) // it may have to be read once more
		}
		if n.batches[id] == b && !b.over(n.now) { // or nobody waits for what it says
			effects = append(effects, b.said.again(n.now)...)
		}
	}
	effects = append(effects, n.resume()...)
	// While old rounds are read, a batch is as old as the rest of them makes it.
	now := n.now
	if n.seen.rounds.Before(now) {
		now = n.seen.rounds
	}
	effects = append(effects, n.due()...)
	n.board.Expire(now.Add(-boardLife))
	n.register.Tick(n.now)
	for _, id := range n.register.Late() {
		effects = append(effects, Refetch{ID: id, Register: true})
	}
	return effects
}

// expire forgets a batch long after it began and the log last had something new
// of it. Its entry brings a certified one back. Once its job has expired nobody waits
// for the batch, and it takes no memory of its own: else jobs of short lives could
// fill all memory while one node is away.
func (b *dkg) expire(now time.Time) {
	over := b.over(now)
	switch {
	case over && b.phase < dkgCertifying:
		b.lapse()
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
