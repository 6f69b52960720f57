package protocol

import (
	"encoding/json"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A gateway answers a new job with an older batch of the same client: keys and
// certificates are genuine, of the right owner and number, and for another job.
func TestOlderBatchAnswersNoNewJob(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	jobs := []wire.SignedJob{f.keygen(1, "alice", "bitcoin", 2), f.keygen(2, "alice", "bitcoin", 2)}
	for _, job := range jobs {
		f.desk.arrive(job, nil)
		f.drain()
	}
	older, newer := f.desk.finished[0].Result, f.desk.finished[1].Result
	f.check(wire.VerifyKeys(f.m, jobs[0], older))
	f.check(wire.VerifyKeys(f.m, jobs[1], newer))
	for name, forge := range map[string]func(r *wire.Result){
		"keys and certificates": func(r *wire.Result) {
			r.Batches[0].Certificates = older.Batches[0].Certificates
			for i := range r.Keys {
				r.Keys[i].PublicKey = older.Keys[i].PublicKey
			}
		},
		"names": func(r *wire.Result) {
			r.Batches[0].ID = older.Batches[0].ID
			for i := range r.Keys {
				r.Keys[i].ID = older.Keys[i].ID
			}
		},
		"everything": func(r *wire.Result) { r.Batches, r.Keys = older.Batches, older.Keys },
	} {
		var r wire.Result
		f.check(json.Unmarshal(newer.Encode(), &r))
		forge(&r)
		if wire.VerifyKeys(f.m, jobs[1], &r) == nil {
			t.Errorf("%s of an older batch answer a new job", name)
		}
	}
}
