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
	keys, err := frost.OutputKeys(s.items)
	if err != nil {
		return nil, err
	}
	res.Sigs = make([]wire.Signed, len(keys))
	for i, it := range s.job.Items {
		res.Sigs[i] = wire.Signed{Key: it.Key, PublicKey: keys[i], Signature: s.sigs[i]}
		if it.Path != nil {
			res.Sigs[i].Path = *it.Path
		}
	}
	return res, nil
}
