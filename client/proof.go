package client

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Proof is what shows, to anybody who has the fleet's manifest, that all n
// nodes certified the keys of one keygen job: the job as it was signed, and its
// result with the certificates. Its JSON, one a line, is the file format of
// frostctl keygen.
type Proof struct {
	Client string          `json:"client"` // who asked, and owns the keys
	Job    string          `json:"job"`    // the job's payload, byte for byte
	Result json.RawMessage `json:"result"`
}

// Verify checks the proof against the manifest and nothing else, and returns
// the keys that it proves. It has btcd's library compute every output key of bitcoin again.
// The error is a *ProofError or ErrDisagreement.
func (p Proof) Verify(m *Manifest) ([]Key, error) {
	if m == nil || m.core == nil {
		return nil, &ProofError{Err: errors.New("there is no manifest to check against: make one with ParseManifest")}
	}
	var r wire.Result
	if err := json.Unmarshal(p.Result, &r); err != nil {
		return nil, &ProofError{Err: fmt.Errorf("result: %w", err)}
	}
	keys, err := p.verify(m.core, &r, 1)
	if errors.Is(err, ErrDisagreement) {
		return nil, fmt.Errorf("job %.64s: %w", r.Job, err)
	}
	if err != nil {
		return nil, &ProofError{Job: r.Job, Err: err}
	}
	return keys, nil
}

// verify checks the proof. share is that of the addresses that a library computes as well.
func (p Proof) verify(m *wire.Manifest, r *wire.Result, share float64) ([]Key, error) {
	var job wire.Job
	if err := json.Unmarshal([]byte(p.Job), &job); err != nil {
		return nil, fmt.Errorf("job: %w", err)
	}
	if err := sameFleet(m, r); err != nil {
		return nil, err
	}
	switch {
	case job.Kind != wire.KindKeygen || r.Kind != wire.KindKeygen || r.Status != wire.StatusDone:
		return nil, fmt.Errorf("a %s job with a %s result that is %s proves no keys", job.Kind, r.Kind, r.Status)
	case r.Job != job.ID || r.Client != p.Client || r.Chain != job.Chain:
		return nil, fmt.Errorf("job %.64q of %.64q for chain %.64q and a result for job %.64q of %.64q for %.64q differ",
			job.ID, p.Client, job.Chain, r.Job, r.Client, r.Chain)
	}
	signed := wire.SignedJob{Client: p.Client, Kind: job.Kind, Payload: []byte(p.Job)}
	certified, err := wire.CertifiedKeys(m, signed, r)
	if err != nil {
		return nil, err
	}
	return checkKeys(m, job.Chain, r.Keys, certified, share)
}

// sameFleet distinguishes a wrong manifest from a false proof.
func sameFleet(m *wire.Manifest, r *wire.Result) error {
	want := m.FleetID()
	if r.Fleet != m.Fleet || r.Network != m.Network || !bytes.Equal(r.Manifest, want[:]) {
		return fmt.Errorf("the result is of fleet %.64q on %.64q with manifest %.64x, "+
			"the manifest here is of fleet %q on %s with hash %x: ask the operators which is right",
			r.Fleet, r.Network, []byte(r.Manifest), m.Fleet, m.Network, want)
	}
	return nil
}

// checkKeys compares what a result claims of its keys with what follows from what was
// certified.
func checkKeys(m *wire.Manifest, chainName string, claimed []wire.Key, certified []wire.EntryKey, share float64) (
	[]Key, error) {
	keys, publicKeys := make([]Key, len(claimed)), make([][]byte, len(claimed))
	for i := range certified {
		publicKeys[i] = certified[i].PublicKey
	}
	addresses, errs := chain.Addresses(chainName, m.Network, publicKeys)
	again := chosen(len(claimed), share)
	for i, k := range claimed {
		public, code, address := publicKeys[i], certified[i].ChainCode, addresses[i]
		if err := cmp.Or(errs[i], sameAddress(chainName, m.Network, public, address, again[i])); err != nil {
			return nil, fmt.Errorf("key %s: %w", k.ID, err)
		}
		if k.Address != address {
			return nil, fmt.Errorf("key %s: the result has address %.128q, but the certified public key gives %s: "+
				"it was swapped", k.ID, k.Address, address)
		}
		descriptor, err := chain.Descriptor(chainName, m.Network, public, code)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", k.ID, err)
		}
		if k.Descriptor != "" && k.Descriptor != descriptor { // older gateways say nothing
			return nil, fmt.Errorf("key %s: the result has descriptor %.300q, but the certified key gives %q: "+
				"it was swapped", k.ID, k.Descriptor, descriptor)
		}
		keys[i] = Key{
			ID: k.ID, Chain: chainName, PublicKey: public, Address: address, ChainCode: code[:], network: m.Network,
		}
	}
	return keys, nil
}

// sameAddress has btcd's library compute the output key of an address that has one, if it is
// to: an address of ed25519 is its key.
func sameAddress(chainName, network string, public []byte, address string, again bool) error {
	if suite, _ := wire.ChainSuite(chainName); !again || suite != frost.Secp256k1TR {
		return nil
	}
	output, err := TaprootOutputKey(public, nil)
	if err != nil {
		return fmt.Errorf("%w: it has address %s by frostfleet's own code, and none by btcd's library: %w",
			ErrDisagreement, address, err)
	}
	if want, err := chain.P2TR(network, [32]byte(output)); err != nil || want != address {
		return fmt.Errorf("%w: it has address %s by frostfleet's own code, and by btcd's library %s (%v)",
			ErrDisagreement, address, want, err)
	}
	return nil
}
