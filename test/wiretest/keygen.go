package wiretest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Keygen returns a keygen job of a client and its result, as a fleet answers it: all
// nodes certified the keys. The keys are one batch at most.
func (f *Fleet) Keygen(t testing.TB, client, chainName string, publicKeys [][]byte) (wire.SignedJob, *wire.Result) {
	t.Helper()
	m := f.Manifest
	job := wire.Job{
		ID: "0198c0de-0000-7000-8000-000000000001", Kind: wire.KindKeygen, Chain: chainName, Count: len(publicKeys),
		Expires: Start.Add(time.Hour),
	}
	signed := wire.SignJob(f.Clients[client], m, wire.KindKeygen, client, must(json.Marshal(&job)))
	digest, manifest := signed.Digest(m), m.Hash()
	h := job.PartHeader(m, client, digest, 0, 0)
	if int(h.K) != len(publicKeys) {
		t.Fatalf("%d keys are more than one batch", len(publicKeys))
	}
	r := &wire.Result{
		Job: job.ID, Client: client, Kind: wire.KindKeygen, Digest: digest[:], Status: wire.StatusDone, Attempts: 1,
		Fleet: m.Fleet, Network: m.Network, Manifest: manifest[:], Chain: chainName, Suite: job.Suite().String(),
	}
	transcript, ctx := [32]byte{1}, h.Context(m)
	batch := wire.Batch{ID: wire.ShortID(ctx), Count: h.K}
	certified := wire.EntryKeys(publicKeys, client, transcript)
	for i, k := range certified {
		r.Keys = append(r.Keys, wire.Key{
			ID: wire.KeyID{Batch: batch.ID, Index: i}.String(), PublicKey: k.PublicKey, ChainCode: k.ChainCode[:],
			Address:    must(chain.Address(chainName, m.Network, k.PublicKey)),
			Descriptor: must(chain.Descriptor(chainName, m.Network, k.PublicKey, k.ChainCode)),
		})
	}
	for i := range m.N {
		c := wire.Certificate{Context: ctx, Transcript: transcript, Root: wire.KeyRoot(certified), Node: uint32(i)}
		c.Attestation = f.Attest(i, [][32]byte{c.Leaf(m)}, 0)
		batch.Certificates = append(batch.Certificates, wire.Encode(&c))
	}
	r.Batches = []wire.Batch{batch}
	return signed, r
}
