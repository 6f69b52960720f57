package protocol

import "github.com/frostfleet/frostfleet/internal/wire"

// signResult makes the result of a job whose items are all signed. It is computed
// outside the step, as everything that grows with a job's items. What is read here
// does not change any more.
func signResult(s *activeSign) *wire.Result {
	res := s.answer()
	res.Suite, res.Attempts = s.items[0].Key.Suite.String(), s.tries
	res.Sigs = make([]wire.Signed, len(s.sigs))
	for i, it := range s.job.Items {
		res.Sigs[i] = wire.Signed{Key: it.Key, PublicKey: s.sigs[i].PublicKey, Signature: s.sigs[i].Bytes}
		if it.Path != nil {
			res.Sigs[i].Path = *it.Path
		}
	}
	return res
}
