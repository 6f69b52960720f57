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
	slices, f := decodeReshareDeals(raw, r, l.Manifest(r.Source), cfg.Manifest)
	if f != nil {
		return nil, f
	}
	host := [32]byte(cfg.Host.Expose())
	defer clear(host[:])
	batch, err := eachSlice(slices, func(s *dealtSlice) (*frost.Batch, error) {
		return frost.FinalizeReshare(s.params, cfg.Index, &host, public.Part(s.First, s.End), s.deals)
	})
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
	slices, f := decodeReshareDeals(raw, r, source, cfg.Manifest)
	if f != nil {
		f.culprit = -1
		return nil, f
	}
	host, keys := [32]byte(cfg.Host.Expose()), e.PublicKeys()
	defer clear(host[:])
	batch, err := eachSlice(slices, func(s *dealtSlice) (*frost.Batch, error) {
		return frost.RecoverReshare(s.params, cfg.Index, &host, keys[s.First:s.End], s.deals)
	})
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

// PublicOf computes the public part of a whole entry, of any generation. Deals are in the
// order of the entry's. The keys are those that its nodes certified.
func PublicOf(l *wire.Lineage, e *wire.Entry, raw [][]byte) (*frost.Public, error) {
	var public *frost.Public
	var err error
	if e.Generation == 0 {
		deals, culprit := board.DecodeEntry(raw, e.Header)
		if culprit >= 0 {
			return nil, fmt.Errorf("batch %s: deal %d does not decode", e.ID, culprit)
		}
		public, err = frost.Summarize(e.Header.Params(l.Manifest(e.Manifest)), deals)
	} else {
		public, err = summarizeReshare(e.Reshare(), l.Manifest(e.Source), l.Manifest(e.Manifest), e.PublicKeys(), raw)
	}
	if err != nil {
		return nil, err
	}
	if wire.KeyRoot(wire.EntryKeys(public.PublicKeys, e.Header.Client, e.MadeBy)) != e.Root {
		return nil, fmt.Errorf("batch %s: its keys do not follow from its deals", e.ID)
	}
	return public, nil
}
