package protocol

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signResult makes the result of a job all of whose items are signed or refused. It is
// computed outside the step, as output keys take time in proportion to a job's items.
// What is read here does not change any more.
func signResult(s *activeSign) (*wire.Result, error) {
	res := s.answer()
	res.Suite, res.Attempts = s.suite.String(), s.tries
	if refusal := s.refusal(); refusal != nil {
		res.Status, res.Code, res.Error = wire.StatusPartial, refusal.Code, refusal.Reason
	}
	for i, item := range s.items {
		key := s.job.Items[i].Key
		if refused := s.refused[i]; refused != nil {
			signed := wire.Signed{Key: fmt.Sprintf("%.64s", key), Code: refused.Code, Error: refused.Reason}
			res.Sigs = append(res.Sigs, signed)
			continue
		}
		out, err := frost.OutputKey(item.Key.Suite, item.Key.PublicKey, item.Tweak)
		if err != nil {
			return nil, err
		}
		res.Sigs = append(res.Sigs, wire.Signed{Key: key, PublicKey: out, Signature: s.sigs[i]})
	}
	return res, nil
}

// refusal says which items are refused, with the code of the first; nil if none is.
func (s *activeSign) refusal() *wire.JobError {
	var first *wire.JobError
	count := 0
	for i, refused := range s.refused {
		if refused == nil {
			continue
		}
		if count++; first == nil {
			first = wire.Refuse(refused.Code, "item %d: %s", i, refused.Reason)
		}
	}
	if count > 1 {
		first.Reason += fmt.Sprintf(" (and %d more of the %d items are refused)", count-1, len(s.refused))
	}
	return first
}
