package protocol

import (
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Results are made in computations: output keys and addresses take time in
// proportion to a job's items. What is read here does not change any more.

// Sizes in a result's JSON, at most.
const (
	maxResultSize   = 4<<20 - 4096
	certificateJSON = 1300
	keyJSON         = 256
)

// fitsResult is how many keys of a suite fit one result with their certificates.
func fitsResult(m *wire.Manifest, suite frost.Suite) int {
	size := wire.BatchSize(suite, m.N, m.T)
	return maxResultSize / (m.N*certificateJSON + size*keyJSON) * size
}

func keygenResult(cfg CoordinatorConfig, j *activeJob) (*wire.Result, error) {
	res := j.answer()
	res.Chain, res.Suite = j.job.Chain, j.job.Suite().String()
	for _, b := range j.batches {
		f := b.finished
		proof := wire.Batch{ID: b.id, Part: uint32(b.part), Attempt: uint32(b.attempt), Count: f.header.K}
		for _, cert := range f.certs {
			proof.Certificates = append(proof.Certificates, cert)
		}
		res.Batches = append(res.Batches, proof)
		res.Attempts = max(res.Attempts, b.attempt+1)
		for i, pub := range f.public.PublicKeys {
			address, err := cfg.Address(j.job.Chain, cfg.Manifest.Network, pub)
			if err != nil {
				return nil, err
			}
			id := wire.KeyID{Batch: b.id, Index: i}
			res.Keys = append(res.Keys, wire.Key{ID: id.String(), PublicKey: pub, Address: address})
		}
	}
	return res, nil
}

func signResult(j *activeJob) (*wire.Result, error) {
	res, s := j.answer(), j.sign
	res.Suite, res.Attempts = s.items[0].Key.Suite.String(), s.tries
	for i, item := range s.items {
		out, err := frost.OutputKey(item.Key.Suite, item.Key.PublicKey, item.Tweak)
		if err != nil {
			return nil, err
		}
		res.Sigs = append(res.Sigs, wire.Signed{Key: j.job.Items[i].Key, PublicKey: out, Signature: s.sigs[i]})
	}
	return res, nil
}
