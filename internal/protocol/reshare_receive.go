package protocol

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a new node gets its shares: it gathers the deals of the old nodes and the entry that
// proves their shares, checks them, and certifies.

// Bounds on these, beside maxMoveBytes.
const (
	maxIntakes = 8
	// gatherLife is how long deals may take. Who withholds one holds up no other batch for
	// longer: the gateway opens another attempt, with other dealers.
	gatherLife = 2 * time.Minute
)

// receive has an attempt wait for its turn.
func (n *resharer) receive(r *wire.Reshare, e TaskMessage) ([]Effect, error) {
	ref := wire.BatchRef{ID: r.BatchID(), Generation: r.To}
	work := n.intakes.work[ref]
	if _, known := n.dealer.known[ref]; known && (work == nil || work.id == r.ID()) {
		return nil, nil // certified in an earlier life: its entry completes it
	}
	if err := n.mayReceive(r); err != nil {
		return nil, err
	}
	if n.holdsOther(r, work) {
		return n.decline(r, e), errTaken
	}
	if work != nil && work.phase >= reshareCertifying {
		return nil, errTaken
	}
	if len(n.intakes.waiting) >= maxWaiting {
		return nil, errWaitsLong
	}
	if err := n.try(r, e); err != nil {
		return nil, err
	}
	effects := n.giveUpFor(ref.ID)
	b := &intake{node: n, ref: ref, Reshare: r, id: r.ID(), trace: e.LogMessage.Trace}
	b.to(reshareWaiting)
	n.intakes.work[ref] = b
	n.intakes.waiting = append(n.intakes.waiting, b)
	return append(effects, n.nextIntake()...), nil
}

// nextIntake begins what waits while there is room.
func (n *resharer) nextIntake() (effects []Effect) {
	for len(n.intakes.waiting) > 0 && n.room() {
		b := n.intakes.waiting[0]
		n.intakes.waiting = n.intakes.waiting[1:]
		if b.current(reshareWaiting) {
			effects = append(effects, b.gather()...)
		}
	}
	return effects
}

// room reports whether there is room for another attempt to be gathered and checked.
func (n *resharer) room() bool {
	count, size := 0, 0
	for _, b := range n.intakes.work {
		if b.phase == reshareGathering || b.phase == reshareVerifying {
			count, size = count+1, size+b.DealBytes(n.cfg.Manifest)
		}
	}
	return count < maxIntakes && size < maxMoveBytes
}

// gather has the entry read from which the shares come, and what the rounds have of the
// attempt already: the board keeps nothing of what nobody works on.
func (b *intake) gather() []Effect {
	n := b.node
	if err := n.mayReceive(b.Reshare); err != nil {
		b.drop()
		return []Effect{refusedMove(b.Reshare, err)}
	}
	source, next, _ := n.check(b.Reshare) // mayReceive did
	b.to(reshareGathering)
	a := n.intakes.board.Open(*b.Reshare, source, next, n.openerOf(source), n.opener)
	for _, slot := range a.DealSlots() {
		if n.intakes.early.has(slot, n.now) {
			b.unsure = append(b.unsure, slot)
		}
	}
	var effects []Effect
	if len(b.unsure) > 0 {
		effects = b.lookAgain()
	}
	if e := n.dealer.register.Get(b.source()); e == nil || !e.Whole() {
		effects = append(effects, Refetch{ID: b.ref.ID, Register: true})
	}
	return append(effects, b.verify()...)
}

// openerOf opens what another manifest's nodes seal.
func (n *resharer) openerOf(m *wire.Manifest) *wire.Opener {
	o := n.intakes.openers[m.Hash()]
	if o == nil {
		o = wire.NewOpener(m, n.cfg.Access)
		n.intakes.openers[m.Hash()] = o
	}
	return o
}

// onRounds takes what the rounds have of attempts in work.
func (n *resharer) onRounds(msg wire.LogMessage, again bool) []Effect {
	a, slot, changed := n.intakes.board.Put(msg)
	if a == nil {
		if slot.Kind == wire.SlotReshareDeal {
			n.intakes.early.put(slot, n.now)
		}
		return nil
	}
	b := n.intakes.work[wire.BatchRef{ID: a.BatchID(), Generation: a.To}]
	if b == nil || b.id != a.ID || !(again && b.confirm(slot, msg.Seq)) && !changed {
		return nil
	}
	switch slot.Kind {
	case wire.SlotReshareDeal:
		return append(b.verify(), n.nextIntake()...)
	case wire.SlotReshareAbort:
		// Work that led to nothing yet stops. n certificates win over any abort, so a node
		// that may have certified only waits: it has the attempt on its board no more.
		effects := b.abandon(fmt.Sprintf("node %d gave it up: %s", slot.Node, a.Aborts()[slot.Node].Reason))
		return append(effects, n.nextIntake()...)
	}
	return nil
}

// lookAgain has the attempt's rounds read once more, every 2 seconds at most.
func (b *intake) lookAgain() []Effect {
	now := b.node.now
	if !b.looked.IsZero() && now.Sub(b.looked).Abs() < lookAgainEvery {
		return nil
	}
	b.looked = now
	var again []Effect
	for _, id := range b.node.intakes.board.Get(b.id).IDs() {
		if slices.ContainsFunc(b.unsure, func(s wire.Slot) bool { return s.ID == id }) {
			again = append(again, Refetch{ID: id, Reshare: true})
		}
	}
	return again
}

// confirm notes that a deal that was read again, in the order of the rounds, is the one that
// counts here.
func (b *intake) confirm(slot wire.Slot, seq uint64) (news bool) {
	a := b.node.intakes.board.Get(b.id)
	at := slices.Index(b.unsure, slot)
	if at < 0 || a == nil || a.Seq(slot) != seq {
		return false
	}
	b.unsure = slices.Delete(b.unsure, at, at+1)
	return true
}

// onSource takes an entry that attempts in work want.
func (n *resharer) onSource(e *board.Entry) (effects []Effect) {
	for _, b := range n.sorted() {
		if b.phase == reshareGathering && b.source() == e.Ref() {
			effects = append(effects, b.verify()...)
		}
	}
	return append(effects, n.nextIntake()...)
}

var errOtherSource = errors.New("the register has another entry of the generation before than the task names")

// verify begins the checks once all deals and the entry before are there.
func (b *intake) verify() []Effect {
	n := b.node
	if b.phase != reshareGathering {
		return nil
	}
	a, entry := n.intakes.board.Get(b.id), n.dealer.register.Get(b.source())
	if entry != nil && !b.follows(entry.Entry) {
		return b.giveUp(fault{wire.CodeOtherTranscript, errOtherSource.Error(), -1})
	}
	digests, ok := a.Digests()
	switch {
	case !ok || entry == nil || !entry.Whole():
		return nil
	case len(b.unsure) > 0:
		return b.lookAgain()
	}
	b.to(reshareVerifying)
	source, before, deals, transcript := entry.Entry, entry.Raw(), a.Deals(), wire.Transcript(digests)
	r, lineage := b.Reshare, n.cfg.Lineage
	b.release()
	return []Effect{Compute{Name: "verify reshared deals", Trace: b.trace, Run: func() Event {
		record, f := n.verify(r, lineage, source, before, deals, transcript)
		return resharedVerified{b, record, f}
	}}}
}

// follows reports whether an entry is the one that the attempt begins at.
func (b *intake) follows(e *wire.Entry) bool {
	return e.Manifest == b.Source && e.Transcript == b.Base && e.MadeBy == b.Made && e.Origin == b.Origin && e.Header == b.Header
}

type resharedVerified struct {
	b      *intake
	record *BatchRecord
	fault  *fault
}

func (resharedVerified) event() {}

func (e resharedVerified) resume() []Effect {
	return append(e.b.onVerified(e), e.b.node.nextIntake()...)
}

// onVerified certifies, or names the culprit.
func (b *intake) onVerified(e resharedVerified) []Effect {
	n := b.node
	if !b.current(reshareVerifying) {
		e.record.wipe()
		return nil
	}
	if e.fault != nil {
		return b.giveUp(*e.fault)
	}
	b.to(reshareCertifying)
	b.certified = e.record.Transcript
	n.intakes.board.Forget(b.id) // others may take for ever to certify
	cert := wire.Certificate{
		Context: e.record.Context, Generation: b.ref.Generation, Transcript: e.record.Transcript, Root: e.record.Root,
	}
	effects := []Effect{Certify{Record: e.record, Publish: b.publishCertificate(cert)}, b.report(ReportReshareCertified)}
	if entry := n.dealer.register.Get(b.ref); entry != nil { // another process of this node certified
		effects = append(effects, n.onEntry(entry)...)
	}
	return effects
}

// expireIntakes ends what takes too long, and forgets what was certified and waits for
// others: its entry brings it back.
func (n *resharer) expireIntakes() (effects []Effect) {
	for _, b := range n.sorted() { // first, so that none of these has its turn
		if b.phase == reshareWaiting && n.now.Sub(b.since) > waitLife {
			effects = append(effects, b.abandon("it waited for its turn until nobody waited for it any more")...)
		}
	}
	for _, b := range n.sorted() {
		if b.since.IsZero() { // it was said again before there was a clock
			b.since = n.now
		}
		in := n.now.Sub(b.since)
		switch {
		case b.phase == reshareGathering && in > gatherLife:
			effects = append(effects, b.abandon(b.lacks())...)
		case b.phase == reshareGathering:
			effects = append(effects, b.verify()...)
		case b.phase == reshareCertifying && in > boardLife:
			delete(n.intakes.work, b.ref)
		}
	}
	return append(effects, n.nextIntake()...)
}

// lacks says what an attempt waited for in vain.
func (b *intake) lacks() string {
	a, entry := b.node.intakes.board.Get(b.id), b.node.dealer.register.Get(b.source())
	if entry == nil || !entry.Whole() {
		return "the register does not have the whole entry of " + refLine(b.source())
	}
	return fmt.Sprintf("of the manifest before, no deal came of nodes %d", a.Absent())
}
