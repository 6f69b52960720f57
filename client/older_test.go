package client

import (
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestOlderBatchOfTheSameClient: a gateway answers a new job with keys that all nodes
// certified for an older job of this client. Owner and number are right.
func TestOlderBatchOfTheSameClient(t *testing.T) {
	s, c := start(t)
	var older *wire.Result
	s.onJob(func(job wire.SignedJob) {
		r := s.result(job)
		if older == nil {
			older = r
		} else {
			r.Batches[0].Certificates = older.Batches[0].Certificates
			for i := range r.Keys {
				r.Keys[i].PublicKey, r.Keys[i].Address = older.Keys[i].PublicKey, older.Keys[i].Address
			}
		}
		s.store(r)
	})
	req := KeygenRequest{Chain: "bitcoin", Count: 2}
	if _, err := c.Keygen(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	got, err := c.Keygen(t.Context(), req)
	checkProofError(t, err, "certified other keys")
	if len(got.Keys) != 0 {
		t.Errorf("keys of the older batch were returned: %+v", got.Keys)
	}
}
