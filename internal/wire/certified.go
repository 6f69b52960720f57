package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// VerifyKeys checks that every key of a keygen result was certified by all n nodes for
// this very job: nodes of the manifest, or of one that succeeded it, which the result
// proves. It trusts the manifest and nothing else. It does not look at addresses and
// descriptors: who sends money derives them from the keys.
func VerifyKeys(m *Manifest, job SignedJob, r *Result) error {
	_, err := CertifiedKeys(m, job, r)
	return err
}

// CertifiedKeys is VerifyKeys, and returns what was certified, in the result's order.
func CertifiedKeys(m *Manifest, job SignedJob, r *Result) ([]EntryKey, error) {
	var want Job
	if err := json.Unmarshal(job.Payload, &want); err != nil {
		return nil, fmt.Errorf("job: %w", err)
	}
	suite, ok := ChainSuite(want.Chain)
	if !ok || want.Count < 1 || want.Count > MaxJobKeys || want.Kind != KindKeygen || job.Kind != KindKeygen {
		return nil, fmt.Errorf("job asks for %d keys on chain %.64q", want.Count, want.Chain)
	}
	fleet, digest := m.FleetID(), job.Digest(m)
	switch {
	case r.Job != want.ID || r.Client != job.Client || r.Kind != KindKeygen || !bytes.Equal(r.Digest, digest[:]):
		return nil, errors.New("result answers another job")
	case r.Status != StatusDone || r.Chain != want.Chain || r.Suite != suite.String():
		return nil, errors.New("result is not one of keys on this chain")
	case r.Fleet != m.Fleet || r.Network != m.Network || !bytes.Equal(r.Manifest, fleet[:]):
		return nil, errors.New("result is of another fleet")
	}
	m, err := r.maker(m)
	if err != nil {
		return nil, err
	}
	if len(r.Keys) != want.Count || len(r.Batches) != want.Parts(m) {
		return nil, fmt.Errorf("result has %d keys in %d batches, the job asked for %d in %d", len(r.Keys), len(r.Batches),
			want.Count, want.Parts(m))
	}
	var all []EntryKey
	for part, b := range r.Batches {
		h := want.PartHeader(m, job.Client, digest, part, int(b.Attempt))
		certified, err := verifyBatch(m, h, suite, b, r.Keys[len(all):][:h.K])
		if err != nil {
			return nil, fmt.Errorf("batch %d: %w", part, err)
		}
		all = append(all, certified...)
	}
	return all, nil
}

// maker is the manifest whose nodes made a result's keys, if m is it, or its succession can
// be followed from m.
func (r *Result) maker(m *Manifest) (*Manifest, error) {
	if len(r.Batches) == 0 {
		return m, nil // which is too few
	}
	fleet := m.FleetID()
	var of [32]byte
	for i, b := range r.Batches {
		made := fleet
		if len(b.Manifest) > 0 {
			if len(b.Manifest) != len(made) {
				return nil, fmt.Errorf("batch %d: its manifest is no hash", i)
			}
			made = [32]byte(b.Manifest)
		}
		if of = made; i > 0 && !bytes.Equal(r.Batches[0].Manifest, b.Manifest) {
			return nil, errors.New("result has batches of several manifests")
		}
	}
	known := NewLineage(m)
	if len(r.Successions) > maxSuccessions {
		return nil, fmt.Errorf("result has %d successions", len(r.Successions))
	}
	for _, s := range r.Successions {
		next, err := known.WithSuccession(s)
		if err != nil && !errors.Is(err, errNoParent) { // it may lead to m itself
			return nil, err
		}
		known = next
	}
	switch maker := known.Manifest(of); {
	case known.Fork() != nil:
		return nil, known.Fork()
	case maker == nil:
		return nil, fmt.Errorf("keys of manifest %x: nothing in the result leads there from the manifest %x here: "+
			"ask the operators for the manifest", of[:8], m.hash[:8])
	default:
		return maker, nil
	}
}

// maxSuccessions bounds those of a result.
const maxSuccessions = 1024

func verifyBatch(m *Manifest, h BatchHeader, suite frost.Suite, b Batch, keys []Key) ([]EntryKey, error) {
	ctx := h.Context(m)
	if b.ID != ShortID(ctx) || b.Part != h.Part || b.Count != h.K {
		return nil, fmt.Errorf("id %.64q is not this job's", b.ID)
	}
	publicKeys := make([][]byte, len(keys))
	for i, k := range keys {
		if k.ID != (KeyID{b.ID, i}).String() || len(k.PublicKey) != suite.PublicKeySize() {
			return nil, fmt.Errorf("key %d has id %.64q or a public key of the wrong length", i, k.ID)
		}
		publicKeys[i] = k.PublicKey
	}
	if len(b.Certificates) != m.N {
		return nil, fmt.Errorf("%d certificates, want one of each of %d nodes", len(b.Certificates), m.N)
	}
	var root [32]byte
	var first *Certificate
	var certified []EntryKey
	for i, raw := range b.Certificates {
		cert, err := DecodeCertificate(raw, m, i, 0)
		if err != nil {
			return nil, fmt.Errorf("certificate of node %d: %w", i, err)
		}
		if first == nil { // the chain codes, and so the root, follow from the transcript
			first, certified = cert, EntryKeys(publicKeys, h.Client, cert.Transcript)
			root = KeyRoot(certified)
		}
		if cert.Context != ctx || cert.Root != root || !cert.Agrees(first) {
			return nil, fmt.Errorf("node %d certified other keys", i)
		}
	}
	if err := sameChainCodes(keys, certified); err != nil {
		return nil, err
	}
	return certified, nil
}

// sameChainCodes compares what a result says with what was certified.
func sameChainCodes(keys []Key, certified []EntryKey) error {
	for i, k := range keys {
		if len(k.ChainCode) > 0 && !bytes.Equal(k.ChainCode, certified[i].ChainCode[:]) {
			return fmt.Errorf("key %d has chain code %.64x, but all nodes certified %x: it was swapped",
				i, []byte(k.ChainCode), certified[i].ChainCode)
		}
	}
	return nil
}
