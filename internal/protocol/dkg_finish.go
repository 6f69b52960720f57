package protocol

import (
	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a batch ends: each node certifies it, and the entry that a gateway makes of n
// certificates makes the node's own record usable, or lets it rebuild one.

func (b *dkg) publishCertificate(cert wire.Certificate) Publish {
	cert.Node = uint32(b.node.cfg.Index)
	leaf := cert.Leaf(b.node.cfg.Manifest)
	with := func(a *wire.Attestation) []byte {
		cert.Attestation = a
		return wire.Encode(&cert)
	}
	slot := wire.Slot{Kind: wire.SlotCert, ID: b.id, Node: b.node.cfg.Index}
	return Publish{Slot: slot, Trace: b.trace, Leaf: &leaf, With: with}
}

// onEntry completes the batch once the register has all of what n nodes certified: a
// head without its deals is no copy of them, and a node that holds them says them again
// until there is one.
func (b *dkg) onEntry(e *board.Entry) []Effect {
	if b.phase == dkgComplete || b.phase == dkgRebuilding {
		return nil
	}
	certified, stored := b.certified, b.phase == dkgCertifying
	if !stored {
		var known KnownBatch
		known, stored = b.node.known[b.ref()]
		certified = known.Transcript
	}
	switch {
	case stored && e.Transcript != certified:
		return b.otherTranscript()
	case !e.Whole():
		return nil // its deals follow, or are read once more
	case stored:
		b.to(dkgComplete)
		return b.done(Complete{Batch: b.ref(), Certificates: e.Certificates}, e.Transcript)
	}
	return b.rebuild(e)
}

// otherTranscript happens where a second process of this node certified other
// deals: what the keystore holds are not shares of the certified keys.
func (b *dkg) otherTranscript() []Effect {
	if b.phase != dkgAborted {
		b.abort()
	}
	b.node.register.Forget(b.ref())
	return []Effect{b.aborted(fault{wire.CodeOtherTranscript, otherTranscriptReason, b.node.cfg.Index})}
}

const otherTranscriptReason = "all nodes certified this batch over deals that this process did not certify: another " +
	"process runs with this node's index and keys; stop one, remove storage_path and start again"

func (b *dkg) done(effect Effect, transcript [32]byte) []Effect {
	b.node.take(b.ref(), KnownBatch{Transcript: transcript, MadeBy: transcript})
	b.node.register.Forget(b.ref())
	b.forget()
	return append([]Effect{effect, b.report(ReportComplete)}, b.node.markMoved(b.id)...)
}

// rebuild makes the node's shares from the entry alone: the batch was finished
// by an earlier life of this node whose storage is gone.
func (b *dkg) rebuild(e *board.Entry) []Effect {
	b.header = &e.Header
	b.to(dkgRebuilding)
	b.work()
	entry, deals := e.Entry, e.Raw()
	return []Effect{Compute{Rebuild: true, Name: "rebuild shares", Run: func() Event {
		record, f := b.recover(entry, deals)
		return batchRebuilt{b, record, entry.Certificates, f}
	}}}
}

// recover is check for a batch that all nodes certified.
func (b *dkg) recover(e *wire.Entry, raw [][]byte) (*BatchRecord, *fault) {
	cfg := &b.node.cfg
	deals, culprit := board.DecodeEntry(raw, e.Header)
	if culprit >= 0 {
		return nil, &fault{wire.CodeDealMalformed, "the entry's deals do not decode, and all nodes certified them", culprit}
	}
	host := [32]byte(cfg.Host.Expose())
	defer clear(host[:])
	batch, err := frost.Recover(e.Header.Params(cfg.Manifest), cfg.Index, &host, deals)
	if err != nil {
		return nil, &fault{wire.CodeInternal, "rebuild: " + err.Error(), -1}
	}
	record := newRecord(cfg.Manifest, &e.Header, raw, e.Transcript, batch)
	if record.Root != e.Root {
		record.wipe()
		return nil, &fault{wire.CodeInternal, "rebuild: rebuilt keys are not the certified ones", -1}
	}
	return record, nil
}

type batchRebuilt struct {
	b            *dkg
	record       *BatchRecord
	certificates [][]byte
	fault        *fault
}

func (batchRebuilt) event() {}

func (e batchRebuilt) resume() []Effect { return e.b.onRebuilt(e) }

func (b *dkg) onRebuilt(e batchRebuilt) []Effect {
	switch {
	case !b.current(dkgRebuilding):
		e.record.wipe()
		return nil
	case e.fault != nil:
		b.abort()
		b.node.register.Forget(b.ref()) // it would come to the same again
		return []Effect{b.aborted(*e.fault)}
	}
	b.to(dkgComplete)
	effects := b.done(StoreRecovered{Record: e.record, Certificates: e.certificates}, e.record.Transcript)
	return append(effects, b.report(ReportRecovered))
}
