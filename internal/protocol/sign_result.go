package protocol

import (
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signResult makes the result of a job whose items are all signed. It is computed
// outside the step, as output keys take time in proportion to a job's items. What
// is read here does not change any more.
func signResult(s *activeSign) (*wire.Result, error) {
	res := s.answer()
	res.Suite, res.Attempts = s.items[0].Key.Suite.String(), s.tries
	for i, item := range s.items {
		out, err := frost.OutputKey(item.Key.Suite, item.Key.PublicKey, item.Tweak)
		if err != nil {
			return nil, err
		}
		res.Sigs = append(res.Sigs, wire.Signed{Key: s.job.Items[i].Key, PublicKey: out, Signature: s.sigs[i]})
	}
	return res, nil
}
