package protocol

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How the slices of a batch are dealt with, each as if it were a batch of its own. Most have one.

// dealtSlice is a slice with its deals, in the order of the attempt's dealers.
type dealtSlice struct {
	wire.Slice
	params frost.ReshareParams
	deals  []*frost.ReshareDeal
}

// decodeReshareDeals opens the deals of an attempt that was checked, which are dealer by dealer,
// and of each in the order of the slices; or it names the dealer whose deal is none of it.
func decodeReshareDeals(raw [][]byte, r *wire.Reshare, source, next *wire.Manifest) ([]*dealtSlice, *fault) {
	ctx, slices := r.Context(), r.Slices()
	all := make([]*dealtSlice, len(slices))
	for i, s := range slices {
		all[i] = &dealtSlice{s, r.Params(s, source, next), make([]*frost.ReshareDeal, len(r.Dealers))}
	}
	for i, body := range raw {
		dealer, number := i/len(slices), i%len(slices)
		of, slice, deal, err := wire.DecodeReshareDeal(body)
		if err != nil || of.Context() != ctx || slice != number {
			who := int(r.Dealers[dealer])
			reason := fmt.Sprintf("the deal of node %d of the manifest before is not one of this attempt%s", who, all[number].among(all))
			return nil, &fault{wire.CodeDealMalformed, reason, who}
		}
		all[number].deals[dealer] = deal
	}
	return all, nil
}

// among says which of several slices it is.
func (s *dealtSlice) among(all []*dealtSlice) string {
	if len(all) == 1 {
		return ""
	}
	return fmt.Sprintf(", in the slice of keys %d to %d", s.First, s.End-1)
}

// eachSlice is what a node holds of all slices. Of the first that fails it returns why.
func eachSlice(all []*dealtSlice, open func(*dealtSlice) (*frost.Batch, error)) (*frost.Batch, error) {
	var parts []*frost.Batch
	for _, s := range all {
		part, err := open(s)
		if err != nil {
			for _, p := range parts {
				p.Shares.Wipe()
			}
			return nil, sliceError(err, s.among(all))
		}
		parts = append(parts, part)
	}
	return frost.JoinBatches(parts), nil
}

// sliceError adds to an error of which slice it is.
func sliceError(err error, slice string) error {
	var blame *frost.BlameError
	switch {
	case slice == "":
		return err
	case errors.As(err, &blame):
		return &frost.BlameError{Dealer: blame.Dealer, Code: blame.Code, Reason: blame.Reason + slice}
	}
	return fmt.Errorf("%w%s", err, slice)
}

// summarizeReshare computes the public part of what came of an attempt that was checked. The
// keys are those that its nodes certified.
func summarizeReshare(r *wire.Reshare, source, next *wire.Manifest, keys, raw [][]byte) (*frost.Public, error) {
	slices, f := decodeReshareDeals(raw, r, source, next)
	if f != nil {
		return nil, errors.New(f.reason)
	}
	var parts []*frost.Public
	for _, s := range slices {
		part, err := frost.SummarizeReshare(s.params, keys[s.First:s.End], s.deals)
		if err != nil {
			return nil, sliceError(err, s.among(slices))
		}
		parts = append(parts, part)
	}
	return frost.JoinPublic(parts), nil
}
