package protocol

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a batch is made.

// start begins a keygen task: this node deals, unless it did so in an
// earlier life, which the log shows.
func (n *dealer) start(header *wire.BatchHeader, p *part, form uint32) []Effect {
	id := wire.ShortID(header.Context(n.cfg.Manifest))
	if _, known := n.known[wire.BatchRef{ID: id}]; known || n.batches[id] != nil {
		return nil
	}
	if log := n.board.Get(id); log != nil && log.Has(wire.SlotCert, n.cfg.Index) {
		return nil // certified in an earlier life: its entry gives it back
	}
	b := &dkg{
		node: n, id: id, header: header, apart: form >= 1, job: jobKey(p.client, p.job.ID), trace: p.trace, expires: p.job.Expires,
	}
	log := b.work()
	log.SetHeader(*header)
	switch _, abort := log.Abort(); {
	case abort != nil:
		b.abort()
		return nil
	case log.Has(wire.SlotDeal, n.cfg.Index):
		return b.giveUp(fault{wire.CodeRestarted, "the node restarted after it had dealt: its polynomials are gone", -1})
	}
	b.to(dkgDealing)
	var effects []Effect
	if log.Unsure(n.cfg.Index) { // deals may be missing, or not be the first ones
		effects = b.lookAgain(log)
	}
	return append(effects, Compute{Name: "make deal", Trace: b.trace, Run: b.makeDeal})
}

// makeDeal draws the seed, hedged with a derived secret so that a weak
// generator alone does not expose the polynomials, and never deterministic.
func (b *dkg) makeDeal() Event {
	cfg, p := &b.node.cfg, b.header.Params(b.node.cfg.Manifest)
	p.Apart = b.apart
	var fresh [32]byte
	if _, err := io.ReadFull(cfg.Rand, fresh[:]); err != nil {
		return dealMade{b: b, err: err}
	}
	seed := frost.Hash("frostfleet/deal-seed/v1", fresh[:], cfg.SeedSecret.Expose(), p.Context[:])
	deal, err := frost.NewDeal(p, cfg.Index, &seed)
	clear(fresh[:])
	clear(seed[:])
	if err != nil {
		return dealMade{b: b, err: err}
	}
	body := wire.EncodeDeal(*b.header, deal)
	return dealMade{b: b, body: body, hash: ownDeal(body)}
}

func ownDeal(body []byte) [32]byte { return frost.Hash("frostfleet/own-deal/v1", body) }

type dealMade struct {
	b    *dkg
	body []byte
	hash [32]byte // ownDeal
	err  error
}

func (dealMade) event() {}

func (e dealMade) resume() []Effect { return e.b.onDealMade(e) }

func (b *dkg) onDealMade(e dealMade) []Effect {
	if !b.current(dkgDealing) {
		return nil // given up meanwhile
	}
	if e.err != nil {
		return b.giveUp(fault{wire.CodeInternal, "deal: " + e.err.Error(), -1})
	}
	b.own = e.hash
	b.to(dkgDealt)
	effects := []Effect{b.say(wire.SlotDeal, e.body), b.report(ReportDealt)}
	return append(effects, b.verify(b.node.board.Get(b.id))...)
}

// lookAgainEvery is how often a batch is read once more to find out which deals are
// the first ones: a replica that lags does not tell.
const lookAgainEvery = 2 * time.Second

// lookAgain has the batch read once more. A clock that was set back since the last time
// makes it no later.
func (b *dkg) lookAgain(log *board.Batch) []Effect {
	if !b.looked.IsZero() && b.node.now.Sub(b.looked).Abs() < lookAgainEvery {
		return nil
	}
	b.looked = b.node.now
	log.Asked()
	return []Effect{Refetch{ID: b.id}}
}

// verify begins the checks once all n deals are there, and are the first ones in the
// rounds. They are those of this moment: whatever the log shows later, the node
// certifies what it checked.
func (b *dkg) verify(log *board.Batch) []Effect {
	if b.phase != dkgDealt || !log.AllDeals() {
		return nil
	}
	if log.Unsure(b.node.cfg.Index) { // the own deal is compared with the one that was made
		return b.lookAgain(log)
	}
	b.to(dkgVerifying)
	deals, transcript, own := log.Deals(), wire.Transcript(log.Digests()), b.own
	return []Effect{Compute{Name: "verify deals", Trace: b.trace, Run: func() Event {
		record, f := b.check(deals, transcript, own)
		return dealsVerified{b, record, f}
	}}}
}

// check makes the node's record of a batch out of all its deals, or returns why
// there is none.
func (b *dkg) check(raw [][]byte, transcript, own [32]byte) (*BatchRecord, *fault) {
	cfg := &b.node.cfg
	if ownDeal(raw[cfg.Index]) != own {
		return nil, &fault{wire.CodeDealReplaced, "the deal in this node's slot is not the one it made", -1}
	}
	deals, culprit := board.Decode(raw, *b.header)
	if culprit >= 0 {
		reason := fmt.Sprintf("node %d's deal is not a deal of this batch", culprit)
		return nil, &fault{wire.CodeDealMalformed, reason, culprit}
	}
	host := [32]byte(cfg.Host.Expose())
	defer clear(host[:])
	batch, err := frost.Finalize(b.header.Params(cfg.Manifest), cfg.Index, &host, deals)
	var blame *frost.BlameError
	switch {
	case errors.As(err, &blame):
		reason := fmt.Sprintf("node %d's deal: %s", blame.Dealer, blame.Reason)
		return nil, &fault{wire.Code(blame.Code), reason, blame.Dealer}
	case err != nil:
		return nil, &fault{wire.CodeInternal, err.Error(), -1}
	}
	return newRecord(cfg.Manifest, b.header, b.kept(raw), transcript, batch), nil
}

// kept is what the node keeps of a batch's deals: its own as it is, to say it again to
// those that have yet to check it, and the others as the entry will have them.
func (b *dkg) kept(raw [][]byte) [][]byte {
	kept := make([][]byte, len(raw))
	for i, body := range raw {
		if kept[i] = body; i != b.node.cfg.Index {
			kept[i], _ = wire.EntryDeal(body)
		}
	}
	return kept
}

type dealsVerified struct {
	b      *dkg
	record *BatchRecord
	fault  *fault
}

func (dealsVerified) event() {}

func (e dealsVerified) resume() []Effect { return e.b.onVerified(e) }

// onVerified certifies, or names the culprit.
func (b *dkg) onVerified(e dealsVerified) []Effect {
	switch {
	case !b.current(dkgVerifying):
		e.record.wipe()
		return nil
	case e.fault != nil:
		return b.giveUp(*e.fault)
	}
	b.to(dkgCertifying)
	b.certified = e.record.Transcript
	cert := wire.Certificate{Context: e.record.Context, Transcript: e.record.Transcript, Root: e.record.Root}
	effects := []Effect{Certify{Record: e.record, Publish: b.publishCertificate(cert)}, b.report(ReportCertified)}
	if entry := b.node.register.Get(b.ref()); entry != nil { // another process of this node certified
		effects = append(effects, b.onEntry(entry)...)
	}
	return effects
}
