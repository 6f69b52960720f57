package protocol

import (
	"slices"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a resharing ends at a new node: given up, or complete by the entry that a gateway makes
// of n certificates, from which a node whose storage was lost has its shares back.

// abandon is drop, and reports why.
func (b *intake) abandon(why string) []Effect {
	b.drop()
	report := b.report(ReportReshareAbandoned)
	report.Count, report.Reason = 0, why
	return []Effect{report}
}

// giveUp publishes that this node will not certify the attempt.
func (b *intake) giveUp(f fault) []Effect {
	if b.Reshare == nil {
		return b.abandon(f.reason)
	}
	c := wire.Complaint{Session: b.Context(), Code: f.code, Reason: wire.Clip(f.reason)}
	report := b.report(ReportReshareAbandoned)
	report.Count, report.Code, report.Reason, report.Culprit = 0, f.code, f.reason, f.culprit
	if f.culprit >= 0 {
		who := uint8(f.culprit)
		c.Culprit = &who
	}
	slot := wire.Slot{Kind: wire.SlotReshareAbort, ID: b.id, Node: b.node.cfg.Index}
	b.drop()
	return []Effect{Publish{Slot: slot, Body: wire.Encode(&c), Trace: b.trace}, report}
}

// supersede ends the attempts at a batch that has moved, of those that this node has not certified.
func (n *resharer) supersede(batch string) (effects []Effect) {
	for _, b := range n.uncertified(batch) {
		effects = append(effects, b.abandon("the batch has moved by another attempt")...)
	}
	return effects
}

// giveUpFor ends the attempts at a batch that this node has not certified, for a later one, and
// says so: a gateway may wait for one of them that knows the later one to come to nothing.
func (n *resharer) giveUpFor(batch string) (effects []Effect) {
	for _, b := range n.uncertified(batch) {
		effects = append(effects, b.giveUp(fault{wire.CodeAttemptTaken, "another attempt at moving the batch was opened", -1})...)
	}
	return effects
}

// uncertified are the attempts at a batch that this node has not certified.
func (n *resharer) uncertified(batch string) []*intake {
	return slices.DeleteFunc(n.sorted(), func(b *intake) bool { return b.ref.ID != batch || b.phase >= reshareCertifying })
}

// drop ends all work at a batch whose keys must not be used any more.
func (n *resharer) drop(batch string) (effects []Effect) {
	for _, b := range n.sorted() {
		if b.ref.ID == batch {
			effects = append(effects, b.abandon("the batch has two valid entries")...)
		}
	}
	return effects
}

// beginAgain gives up every attempt that this node has not certified.
func (n *resharer) beginAgain(f fault) (effects []Effect) {
	for _, b := range n.sorted() {
		if b.phase > reshareIdle && b.phase < reshareCertifying {
			effects = append(effects, b.giveUp(f)...)
		}
	}
	return effects
}

func (n *resharer) onCertifyFailed(ref wire.BatchRef, f fault) []Effect {
	if b := n.intakes.work[ref]; b != nil && b.phase == reshareCertifying {
		return b.giveUp(f)
	}
	return nil
}

func (b *intake) publishCertificate(cert wire.Certificate) Publish {
	cfg := &b.node.cfg
	cert.Node = uint32(cfg.Index)
	leaf := cert.Leaf(cfg.Manifest)
	with := func(a *wire.Attestation) []byte {
		cert.Attestation = a
		return wire.Encode(&cert)
	}
	slot := wire.Slot{Kind: wire.SlotReshareCert, ID: wire.ShortID(cert.Context), Node: cfg.Index}
	return Publish{Slot: slot, Trace: b.trace, Leaf: &leaf, With: with}
}

// onEntry takes an entry of a later generation that this manifest's nodes certified. It
// completes what this node certified, and gives back what its storage lost.
func (n *resharer) onEntry(e *board.Entry) []Effect {
	ref := e.Ref()
	b := n.intakes.work[ref]
	if b == nil {
		b = &intake{node: n, ref: ref}
	}
	return b.onEntry(e)
}

func (b *intake) onEntry(e *board.Entry) []Effect {
	n := b.node
	if b.phase == reshareRebuilding {
		return nil
	}
	certified, stored := b.certified, b.phase == reshareCertifying
	if !stored {
		var known KnownBatch
		known, stored = n.dealer.known[b.ref]
		certified = known.Transcript
	}
	switch {
	case stored && e.Transcript != certified:
		return b.otherTranscript()
	case !e.Whole():
		return nil // its deals follow, or are read once more
	case stored:
		b.Reshare, b.id = e.Reshare(), wire.ShortID(e.Context)
		b.to(reshareComplete)
		return b.done(Complete{Batch: b.ref, Certificates: e.Certificates}, e.Entry)
	}
	return b.rebuild(e)
}

// otherTranscript is as with key generations: what the keystore holds are no shares of what
// all nodes certified.
func (b *intake) otherTranscript() []Effect {
	n := b.node
	b.drop()
	n.dealer.register.Forget(b.ref)
	report := b.report(ReportReshareAbandoned)
	report.Count, report.Code, report.Reason = 0, wire.CodeOtherTranscript, otherTranscriptReason
	return []Effect{report}
}

// done has the generation used from now on, in the place of every earlier one.
func (b *intake) done(effect Effect, e *wire.Entry) []Effect {
	n := b.node
	n.dealer.take(b.ref, KnownBatch{Transcript: e.Transcript, MadeBy: e.MadeBy})
	n.dealer.register.Forget(b.ref)
	delete(n.intakes.work, b.ref)
	n.intakes.board.Forget(b.id)
	effects := []Effect{effect, b.report(ReportReshareComplete)}
	effects = append(effects, n.dealer.markMoved(b.ref.ID)...)
	return append(effects, n.supersede(b.ref.ID)...)
}

// rebuild makes the node's shares from the entry alone.
func (b *intake) rebuild(e *board.Entry) []Effect {
	n := b.node
	b.to(reshareRebuilding)
	if b.Reshare != nil {
		n.intakes.board.Forget(b.id)
		b.release()
	}
	b.Reshare, b.id = e.Reshare(), wire.ShortID(e.Context)
	n.intakes.work[b.ref] = b
	entry, deals, r, source := e.Entry, e.Raw(), b.Reshare, n.cfg.Lineage.Manifest(e.Source)
	return []Effect{Compute{Rebuild: true, Name: "rebuild reshared shares", Run: func() Event {
		record, f := n.recover(r, source, entry, deals)
		return reshareRebuilt{b, record, entry, f}
	}}}
}

type reshareRebuilt struct {
	b      *intake
	record *BatchRecord
	entry  *wire.Entry
	fault  *fault
}

func (reshareRebuilt) event() {}

func (e reshareRebuilt) resume() []Effect { return e.b.onRebuilt(e) }

func (b *intake) onRebuilt(e reshareRebuilt) []Effect {
	n := b.node
	switch {
	case !b.current(reshareRebuilding):
		e.record.wipe()
		return nil
	case e.fault != nil:
		n.dealer.register.Forget(b.ref) // it would come to the same again
		return b.abandon(e.fault.reason)
	}
	b.to(reshareComplete)
	recovered := b.report(ReportRecovered)
	effects := b.done(StoreRecovered{Record: e.record, Certificates: e.entry.Certificates}, e.entry)
	return append(effects, recovered)
}

// recertify says again what a stored record certifies, as with key generations. Once the
// batch has moved by another attempt nobody waits for it.
func (n *resharer) recertify(e Recertify) []Effect {
	b := n.intakes.work[e.Batch]
	if _, has := n.dealer.completed(e.Batch.ID); has || n.moved[e.Batch.ID] || b != nil && b.phase != reshareCertifying {
		return nil
	}
	if b == nil {
		n.dealer.know(e.Batch, KnownBatch{Transcript: e.Transcript, MadeBy: e.MadeBy})
		b = &intake{node: n, ref: e.Batch, id: wire.ShortID(e.Context), phase: reshareCertifying, certified: e.Transcript, since: n.now}
		n.intakes.work[e.Batch] = b
	}
	effects := []Effect{b.publishCertificate(wire.Certificate{
		Context: e.Context, Generation: e.Batch.Generation, Transcript: e.Transcript, Root: e.Root,
	})}
	if entry := n.dealer.register.Get(e.Batch); entry != nil {
		effects = append(effects, n.onEntry(entry)...)
	}
	return effects
}
