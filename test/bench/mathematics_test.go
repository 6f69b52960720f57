package bench_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// floorWork are the works that have a floor. Each prepares, and returns what
// one operation is, which says how many items it made.
var floorWork = map[string]func() (func() (int, error), error){
	"keygen-bitcoin":          keygenWork(frost.Secp256k1TR, 2, 3, frost.MaxBatch),
	"keygen-solana":           keygenWork(frost.Ed25519, 2, 3, frost.MaxBatch),
	"keygen-bitcoin-16-of-24": keygenWork(frost.Secp256k1TR, 16, 24, largeBatch),
	"sign-bitcoin":            signWork(frost.Secp256k1TR, 2, 3, (*signing).run),
	"sign-solana":             signWork(frost.Ed25519, 2, 3, (*signing).run),
	"fleet-bitcoin":           signWork(frost.Secp256k1TR, 2, 3, (*signing).alone),
	"fleet-solana":            signWork(frost.Ed25519, 2, 3, (*signing).alone),
	"fleet-solana-16-of-24":   signWork(frost.Ed25519, 16, 24, (*signing).alone),
}

// dealing is one key generation as all of its nodes.
type dealing struct {
	frost.Params
	hosts []*[32]byte
}

func newDealing(suite frost.Suite, t, n, k int) (*dealing, error) {
	d := &dealing{Params: frost.Params{Suite: suite, N: n, T: t, K: k}}
	for range n {
		private, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		host := [32]byte(private.Bytes())
		d.hosts = append(d.hosts, &host)
		d.HostKeys = append(d.HostKeys, [32]byte(private.PublicKey().Bytes()))
	}
	return d, nil
}

// run deals as every node, and has every node check all deals and open its
// shares.
func (d *dealing) run() ([]*frost.Batch, error) {
	if _, err := rand.Read(d.Context[:]); err != nil {
		return nil, err
	}
	deals, batches := make([]*frost.Deal, d.N), make([]*frost.Batch, d.N)
	for i := range deals {
		var seed [32]byte
		if _, err := rand.Read(seed[:]); err != nil {
			return nil, err
		}
		var err error
		if deals[i], err = frost.NewDeal(d.Params, i, &seed); err != nil {
			return nil, err
		}
	}
	for i := range batches {
		var err error
		if batches[i], err = frost.Finalize(d.Params, i, d.hosts[i], deals); err != nil {
			return nil, err
		}
	}
	return batches, nil
}

func keygenWork(suite frost.Suite, t, n, k int) func() (func() (int, error), error) {
	return func() (func() (int, error), error) {
		d, err := newDealing(suite, t, n, k)
		if err != nil {
			return nil, err
		}
		name := map[frost.Suite]string{frost.Secp256k1TR: wire.Bitcoin, frost.Ed25519: wire.Solana}[suite]
		return func() (int, error) {
			batches, err := d.run()
			if err != nil {
				return 0, err
			}
			for _, key := range batches[0].PublicKeys { // the client's, who trusts no gateway
				if _, err := chain.Address(name, "regtest", key); err != nil {
					return 0, err
				}
			}
			return k, nil
		}, nil
	}
}

// signing is one batch of signatures as its t signers and a gateway, each of a key of its own.
type signing struct {
	suite    frost.Suite
	messages [][32]byte // that the items of all stand on
	signer   [][]frost.Item
	public   []frost.Item
}

func newSigning(suite frost.Suite, t, n, k int) (*signing, error) {
	s := &signing{suite: suite, messages: make([][32]byte, k), signer: make([][]frost.Item, t)}
	tweak := frost.Tweak{Mode: frost.TweakBIP86}
	if suite == frost.Ed25519 {
		tweak.Mode = frost.TweakNone
	}
	for i := range k {
		keys, err := dealt(suite, t, n)
		if err != nil {
			return nil, err
		}
		for j, key := range keys {
			s.signer[j] = append(s.signer[j], frost.Item{Key: key, Message: s.messages[i][:], Tweak: tweak})
		}
		public := *keys[0]
		public.Share = nil
		s.public = append(s.public, frost.Item{Key: &public, Message: s.messages[i][:], Tweak: tweak})
	}
	return s, nil
}

// run has the fleet sign, and the client verify.
func (s *signing) run() error {
	sigs, err := s.fleet()
	if err != nil {
		return err
	}
	return s.verify(sigs)
}

// fleet has every signer commit, check the others' commitments and sign, and the
// gateway check all commitments, sum up and verify.
func (s *signing) fleet() ([]frost.Signature, error) {
	for i := range s.messages {
		if _, err := rand.Read(s.messages[i][:]); err != nil {
			return nil, err
		}
	}
	var nonces []*frost.Nonces
	var set []frost.NonceCommitment
	for i, items := range s.signer {
		own, points, err := frost.Commit(rand.Reader, [32]byte{}, frost.FormDivided, items)
		if err != nil {
			return nil, err
		}
		nonces, set = append(nonces, own), append(set, frost.NonceCommitment{Index: i, Points: points})
	}
	var shares [][]byte
	for i, own := range nonces {
		if err := s.check(set, i); err != nil {
			return nil, err
		}
		share, err := own.Sign(set)
		if err != nil {
			return nil, err
		}
		shares = append(shares, share)
	}
	if err := s.check(set, -1); err != nil {
		return nil, err
	}
	sigs, blame, err := frost.Aggregate(frost.FormDivided, s.public, set, shares)
	if err != nil {
		return nil, err
	}
	if blame != nil || len(sigs) != len(s.public) {
		return nil, fmt.Errorf("aggregating: %d signatures of %d, blame %v", len(sigs), len(s.public), blame)
	}
	return sigs, nil
}

// verify checks the signatures as a client does, who trusts no gateway.
func (s *signing) verify(sigs []frost.Signature) error {
	for i, item := range s.public {
		key, suite := item.Key.PublicKey, client.SuiteEd25519
		if s.suite == frost.Secp256k1TR {
			var err error
			if key, err = client.TaprootOutputKey(key, nil); err != nil {
				return err
			}
			suite = client.SuiteSecp256k1TR
		}
		if err := client.VerifySignature(suite, key, s.messages[i][:], sigs[i].Bytes); err != nil {
			return err
		}
	}
	return nil
}

// check looks at the commitments of all but one.
func (s *signing) check(set []frost.NonceCommitment, except int) error {
	for _, c := range set {
		if c.Index == except {
			continue
		}
		if err := frost.CheckCommitment(frost.FormDivided, s.suite, len(s.public), c.Points); err != nil {
			return err
		}
	}
	return nil
}

// alone is fleet for who wants no signatures.
func (s *signing) alone() error {
	_, err := s.fleet()
	return err
}

func signWork(suite frost.Suite, t, n int, do func(*signing) error) func() (func() (int, error), error) {
	return func() (func() (int, error), error) {
		s, err := newSigning(suite, t, n, frost.MaxBatch)
		if err != nil {
			return nil, err
		}
		return func() (int, error) { return frost.MaxBatch, do(s) }, nil
	}
}

// TestFloor: what the floors measure is whole: keys of all nodes that agree,
// and signatures that verify.
func TestFloor(t *testing.T) {
	for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
		d, err := newDealing(suite, 2, 3, 4)
		if err != nil {
			t.Fatal(err)
		}
		batches, err := d.run()
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches[1:] {
			for i := range b.PublicKeys {
				if string(b.PublicKeys[i]) != string(batches[0].PublicKeys[i]) {
					t.Errorf("%s: the nodes have different keys", suite)
				}
			}
		}
		s, err := newSigning(suite, 2, 3, 4)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.run(); err != nil {
			t.Errorf("%s: %v", suite, err)
		}
	}
}
