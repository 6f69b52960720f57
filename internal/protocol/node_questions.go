package protocol

import (
	"bytes"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Judge classifies a message that is in one of this node's slots, given what the
// node wants to publish there. It changes nothing and may be called beside Step.
func (n *Node) Judge(slot wire.Slot, standing wire.LogMessage, body []byte) wire.Verdict {
	opener := wire.NewOpener(n.cfg.Manifest, n.access.Load()) // revoked keys fill no slot, as for all readers
	got, err := opener.FromRound(n.cfg.Index, standing)
	if certificate := slot.Kind == wire.SlotCert || slot.Kind == wire.SlotReshareCert; certificate && err != nil {
		got = wire.UnverifiedBody(standing.Data) // as the board does
	} else if err != nil {
		return wire.Junk
	}
	switch slot.Kind {
	case wire.SlotCert, wire.SlotReshareCert:
		return n.judgeCertificate(slot, got, body)
	case wire.SlotAbort, wire.SlotReshareAbort, wire.SlotRefuse:
		if c, err := wire.DecodeComplaint(got); err != nil || wire.ShortID(c.Session) != slot.ID {
			return wire.Junk
		}
		return wire.Mine // whatever the reason: this node is out
	}
	if bytes.Equal(got, body) {
		return wire.Mine
	}
	return wire.Other
}

// judgeCertificate follows the board in what counts as a certificate. The HSM's
// signature may differ from one to the next; what it certifies may not.
func (n *Node) judgeCertificate(slot wire.Slot, got, body []byte) wire.Verdict {
	standing, err := wire.DecodeReshareCertificate(got, n.cfg.Manifest, n.cfg.Index)
	if err != nil || wire.ShortID(standing.Context) != slot.ID ||
		(standing.Generation == 0) != (slot.Kind == wire.SlotCert) {
		return wire.Junk
	}
	own, err := wire.DecodeReshareCertificate(body, n.cfg.Manifest, n.cfg.Index)
	if err == nil && standing.Agrees(own) && standing.Generation == own.Generation {
		return wire.Mine
	}
	return wire.Other
}

// Cursor is the KEYS sequence from which a restarted node has to read: what
// lies before it is in the keystore or will never be needed.
func (n *Node) Cursor() uint64 { return n.dealer.register.FirstSeq(n.dealer.seen.keys + 1) }

// Holdings are the finished batches that the node has whole. Who can't read one from the
// keystore takes it out: a node claims what it can prove.
func (n *Node) Holdings() *board.Holdings { return &n.dealer.held }

// Said is what the rounds have of a batch.
type Said struct {
	Any        bool // by whomever
	Deal, Cert bool // by this node
}

// Said reports what the rounds have of a batch, as far as they were read.
func (n *Node) Said(id string) Said {
	log := n.dealer.board.Get(id)
	if log == nil {
		return Said{}
	}
	return Said{
		Any: !log.Empty(), Deal: log.Has(wire.SlotDeal, n.cfg.Index), Cert: log.Has(wire.SlotCert, n.cfg.Index),
	}
}

// Sessions counts what is in work, for metrics: batches that this node deals
// in, and signing sessions that hold nonces.
func (n *Node) Sessions() (batches, nonces int) {
	for _, b := range n.dealer.batches {
		if b.phase != dkgAborted {
			batches++
		}
	}
	for _, s := range n.signer.sessions {
		if s.nonces != nil {
			nonces++
		}
	}
	return batches, nonces
}

// NonceCounts counts nonce pairs, one for each item, since the start: drawn, and
// of them used for a share and dropped unused. The rest is held.
func (n *Node) NonceCounts() (drawn, used, dropped uint64) {
	return n.signer.nonces.drawn, n.signer.nonces.used, n.signer.nonces.dropped
}

// Frozen is what is frozen now. It may be called beside Step.
func (n *Node) Frozen() *wire.Frozen { return n.frozen() }

// KeptFreezes is what the node's disk has to remember of freezes: the input of
// wire.OpenKeptFreezes.
func (n *Node) KeptFreezes() []byte { return n.freezes.book.Keep() }

// Freezes are the freezes in force.
func (n *Node) Freezes() []*wire.Freeze { return n.freezes.book.InForce() }
