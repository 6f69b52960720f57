package protocol

import (
	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a batch ends: each node certifies it, and n certificates make the node's own
// record usable, or let it rebuild one from the log.

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

// finish completes the batch once all n certificates are in the log.
func (b *dkg) finish(log *board.Batch) []Effect {
	b.news = b.phase == dkgRebuilding
	if b.phase == dkgComplete || b.phase == dkgRebuilding {
		return nil
	}
	cert := log.Certified()
	if cert == nil {
		return nil
	}
	certified := b.certified
	if b.phase != dkgCertifying {
		known, stored := b.node.known[b.id]
		if !stored {
			return b.rebuild(log, cert)
		}
		certified = known.Transcript
	}
	switch {
	case cert.Transcript != certified:
		return b.otherTranscript()
	case b.phase != dkgCertifying:
		return b.rebuild(log, cert)
	}
	b.to(dkgComplete)
	return b.done(Complete{ID: b.id, Certificates: log.Certificates()}, cert.Transcript)
}

// otherTranscript happens where a second process of this node certified other
// deals: what the keystore holds are not shares of the certified keys.
func (b *dkg) otherTranscript() []Effect {
	if b.phase != dkgAborted {
		b.abort()
	}
	const reason = "all nodes certified this batch over deals that this process did not certify: another process runs " +
		"with this node's index and keys; stop one, remove storage_path and start again"
	return []Effect{b.aborted(fault{wire.CodeOtherTranscript, reason, b.node.cfg.Index})}
}

func (b *dkg) done(effect Effect, transcript [32]byte) []Effect {
	b.node.known[b.id] = KnownBatch{Transcript: transcript, Complete: true}
	b.forget()
	return []Effect{effect, b.report(ReportComplete)}
}

// rebuild makes the node's shares from the log alone: the batch was finished
// by an earlier life of this node whose storage is gone.
func (b *dkg) rebuild(log *board.Batch, cert *wire.Certificate) []Effect {
	if !log.AllDeals() {
		return nil // asked for
	}
	if b.header == nil {
		b.header = log.Header()
	}
	b.to(dkgRebuilding)
	b.work()
	deals, certificates := log.Deals(), log.Certificates()
	return []Effect{Compute{Rebuild: true, Name: "rebuild shares", Run: func() Event {
		record, f := b.recover(deals, cert)
		return batchRebuilt{b, record, certificates, f}
	}}}
}

// recover is check for a batch that all nodes certified.
func (b *dkg) recover(raw [][]byte, cert *wire.Certificate) (*BatchRecord, *fault) {
	cfg := &b.node.cfg
	var deals []*frost.Deal
	culprit := -1
	if b.header != nil {
		deals, culprit = board.Decode(raw, *b.header)
	}
	if deals == nil || wire.Transcript(raw) != cert.Transcript {
		return nil, &fault{wire.CodeOtherTranscript,
			"the certificates are not over the deals in the log: restore KEYS from a mirror", culprit}
	}
	host := [32]byte(cfg.Host.Expose())
	defer clear(host[:])
	batch, err := frost.Recover(b.header.Params(cfg.Manifest), cfg.Index, &host, deals)
	if err != nil {
		return nil, &fault{wire.CodeInternal, "rebuild: " + err.Error(), -1}
	}
	record := newRecord(cfg.Manifest, b.header, raw, batch)
	if record.Root != cert.Root {
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
		return b.onRebuildFailed(*e.fault)
	}
	b.to(dkgComplete)
	effects := b.done(StoreRecovered{Record: e.record, Certificates: e.certificates}, e.record.Transcript)
	return append(effects, b.report(ReportRecovered))
}

// onRebuildFailed tries once more if the log has another value than the one that
// the batch was rebuilt from.
func (b *dkg) onRebuildFailed(f fault) []Effect {
	b.to(dkgAborted)
	if b.news {
		if effects := b.finish(b.node.board.Get(b.id)); b.phase == dkgRebuilding {
			return effects
		}
	}
	b.node.board.Unpin(b.id)
	return []Effect{b.aborted(f)}
}
