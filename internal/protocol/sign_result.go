package protocol

import (
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// signResult makes the result of a job all of whose items are signed or refused. It is
// computed outside the step, as everything that grows with a job's items. What is read
// here does not change any more.
func signResult(s *activeSign) (*wire.Result, error) {
	res := s.answer()
	res.Suite, res.Attempts = s.suite.String(), s.tries
	if s.reading != nil {
		return res, s.readResult(res)
	}
	if refusal := s.refusal(); refusal != nil {
		res.Status, res.Code, res.Error = wire.StatusPartial, refusal.Code, refusal.Reason
	}
	res.Sigs = make([]wire.Signed, len(s.sigs))
	for i, it := range s.job.Items {
		if refused := s.refused[i]; refused != nil {
			res.Sigs[i] = wire.Signed{Key: wire.ShortKey(it.Key), Code: refused.Code, Error: refused.Reason}
			continue
		}
		res.Sigs[i] = wire.Signed{Key: it.Key, PublicKey: s.sigs[i].PublicKey, Signature: s.sigs[i].Bytes}
		if it.Path != nil {
			res.Sigs[i].Path = *it.Path
		}
	}
	return res, nil
}

// without leaves the refused items of a job out, and reports whether there are others.
func (s *activeSign) without(refused []*wire.JobError) bool {
	s.refused = refused
	s.left = slices.DeleteFunc(s.left, func(i uint32) bool { return refused[i] != nil })
	return len(s.left) > 0
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
