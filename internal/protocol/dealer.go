package protocol

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What reaches a node's batches from outside.

func newDealer(core *nodeCore) *dealer {
	n := &dealer{
		nodeCore: core, batches: map[string]*dkg{}, parts: map[partID]*part{}, known: maps.Collect(maps.All(core.cfg.Known)),
	}
	n.board = board.New(core.cfg.Manifest, core.opener, maxBoardBytes)
	n.register = board.NewRegister(maxBoardBytes, func(ref wire.BatchRef) ([32]byte, bool) {
		known := n.known[ref.ID]
		return known.Transcript, known.Complete
	})
	for id, k := range n.known {
		if k.Complete {
			n.held.Add(wire.NewHolding(id, k.Transcript))
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
	if err != nil || slot.Kind.Signing() || n.known[slot.ID].Complete {
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

// onKeys reads the register: its entries complete what this node certified, and give
// back what its storage lost.
func (n *dealer) onKeys(msg readMessage) []Effect {
	entry, err := n.register.Put(msg.read)
	switch {
	case err != nil:
		report := badEntry(msg, err)
		if report.What == ReportConflict {
			n.refused[report.ID] = true
			return []Effect{report, RefuseBatch{ID: report.ID}}
		}
		return []Effect{report}
	case entry == nil:
		return nil
	}
	b := n.batches[entry.ID]
	if b == nil {
		b = &dkg{node: n, id: entry.ID}
	}
	return b.onEntry(entry)
}

// badEntry reports what was dropped of KEYS, and why.
func badEntry(msg readMessage, err error) Report {
	r := Report{What: ReportBadEntry, Kind: wire.KindKeygen, ID: msg.Subject, Reason: err.Error(), Culprit: -1}
	if conflict, ok := errors.AsType[*board.ConflictError](err); ok {
		r.What, r.ID = ReportConflict, conflict.ID
	}
	return r
}

// recertify says again what a stored record certifies: the process that made it may
// have ended before that was out, and the rounds forget. The transcript is the
// stored one, so this is the same certificate and no second.
func (n *dealer) recertify(e Recertify) []Effect {
	b := n.batches[e.ID]
	switch {
	case n.known[e.ID].Complete || b != nil && b.phase != dkgCertifying:
		return nil
	case b == nil:
		n.known[e.ID] = KnownBatch{Transcript: e.Transcript}
		b = &dkg{node: n, id: e.ID, phase: dkgCertifying, certified: e.Transcript}
		b.work()
	}
	cert := wire.Certificate{Context: e.Context, Transcript: e.Transcript, Root: e.Root}
	effects := []Effect{b.say(wire.SlotDeal, e.Deal), b.publishCertificate(cert)}
	if entry := n.register.Get(wire.BatchRef{ID: e.ID}); entry != nil {
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
