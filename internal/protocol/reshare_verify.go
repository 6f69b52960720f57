package protocol

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How the deals of an attempt are checked, and shares rebuilt. None of this changes the machine.

// verify makes the node's record out of the deals, or returns why there is none. The shares
// that were dealt are pinned by what the register proves: their public parts follow from the
// entry before.
func (n *resharer) verify(
	r *wire.Reshare, l *wire.Lineage, entry *wire.Entry, before, raw [][]byte, transcript [32]byte,
) (*BatchRecord, *fault) {
	cfg := &n.cfg
	public, err := PublicOf(l, entry, before)
	if err != nil {
		return nil, &fault{wire.CodeInternal, "the entry before: " + err.Error(), -1}
	}
	deals, f := decodeReshareDeals(raw, r)
	if f != nil {
		return nil, f
	}
	host := [32]byte(cfg.Host.Expose())
	defer clear(host[:])
	p := r.Params(l.Manifest(r.Source), cfg.Manifest)
	batch, err := frost.FinalizeReshare(p, cfg.Index, &host, public, deals)
	var blame *frost.BlameError
	switch {
	case errors.As(err, &blame):
		reason := fmt.Sprintf("the deal of node %d of the manifest before: %s", blame.Dealer, blame.Reason)
		return nil, &fault{wire.Code(blame.Code), reason, blame.Dealer}
	case err != nil:
		return nil, &fault{wire.CodeInternal, err.Error(), -1}
	}
	return reshareRecord(r, entry.Root, raw, transcript, batch), nil
}

// recover is verify for what all nodes certified.
func (n *resharer) recover(r *wire.Reshare, source *wire.Manifest, e *wire.Entry, raw [][]byte) (*BatchRecord, *fault) {
	cfg := &n.cfg
	deals, f := decodeReshareDeals(raw, r)
	if f != nil {
		f.culprit = -1
		return nil, f
	}
	host := [32]byte(cfg.Host.Expose())
	defer clear(host[:])
	batch, err := frost.RecoverReshare(r.Params(source, cfg.Manifest), cfg.Index, &host, e.PublicKeys(), deals)
	if err != nil {
		return nil, &fault{wire.CodeInternal, "rebuild: " + err.Error(), -1}
	}
	return reshareRecord(r, e.Root, raw, e.Transcript, batch), nil
}

func reshareRecord(r *wire.Reshare, root [32]byte, raw [][]byte, transcript [32]byte, batch *frost.Batch) *BatchRecord {
	return &BatchRecord{
		ID: r.BatchID(), Generation: r.To, Header: r.Header, Context: r.Context(), Transcript: transcript, MadeBy: r.Made,
		Root: root, Deals: raw, Reshare: r, Batch: batch,
	}
}

// decodeReshareDeals opens the deals of an attempt, which are in the order of its dealers, or
// names the dealer whose deal is none of it.
func decodeReshareDeals(raw [][]byte, r *wire.Reshare) ([]*frost.ReshareDeal, *fault) {
	deals, ctx := make([]*frost.ReshareDeal, len(raw)), r.Context()
	for i, body := range raw {
		of, deal, err := wire.DecodeReshareDeal(body)
		if err != nil || of.Context() != ctx {
			who := int(r.Dealers[i])
			reason := fmt.Sprintf("the deal of node %d of the manifest before is not one of this attempt", who)
			return nil, &fault{wire.CodeDealMalformed, reason, who}
		}
		deals[i] = deal
	}
	return deals, nil
}

// PublicOf computes the public part of a whole entry, of any generation. Deals are in the
// order of the entry's dealers. The keys are those that its nodes certified.
func PublicOf(l *wire.Lineage, e *wire.Entry, raw [][]byte) (*frost.Public, error) {
	var public *frost.Public
	var err error
	if e.Generation == 0 {
		deals, culprit := board.Decode(raw, e.Header)
		if culprit >= 0 {
			return nil, fmt.Errorf("batch %s: deal %d does not decode", e.ID, culprit)
		}
		public, err = frost.Summarize(e.Header.Params(l.Manifest(e.Manifest)), deals)
	} else {
		deals, f := decodeReshareDeals(raw, e.Reshare())
		if f != nil {
			return nil, errors.New(f.reason)
		}
		p := e.Reshare().Params(l.Manifest(e.Source), l.Manifest(e.Manifest))
		public, err = frost.SummarizeReshare(p, e.PublicKeys(), deals)
	}
	if err != nil {
		return nil, err
	}
	if wire.KeyRoot(wire.EntryKeys(public.PublicKeys, e.Header.Client, e.MadeBy)) != e.Root {
		return nil, fmt.Errorf("batch %s: its keys do not follow from its deals", e.ID)
	}
	return public, nil
}
