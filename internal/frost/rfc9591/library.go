package rfc9591

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/bytemare/ecc"
	"github.com/bytemare/frost"
	"github.com/bytemare/secret-sharing/keys"
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve"
)

// library guards every call into bytemare/frost in this process: its hash
// functions share one state.
var library sync.Mutex

// group is the library's name for edwards25519.
const group = ecc.Edwards25519Sha512

// locked runs f, which calls into the library, alone in the process, and turns
// a panic into an error. The panic's value is named only if the Go runtime made
// it: any other may be anything.
func locked(f func() error) (err error) {
	library.Lock()
	defer library.Unlock()
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("the signing library panicked: %w", p)
		default:
			err = errors.New("the signing library panicked")
		}
	}()
	return f()
}

// Aggregate adds up one signature share of 32 bytes per signer, in the order of
// the set, to a signature. It is not verified: crypto/ed25519 does that. RFC 9591,
// section 5.3, aggregate.
func (s *Session) Aggregate(shares [][]byte) ([]byte, error) {
	if len(shares) != len(s.set.ids) {
		return nil, fmt.Errorf("aggregating %d signature shares of %d signers", len(shares), len(s.set.ids))
	}
	answers := make([]*frost.SignatureShare, len(shares))
	for i, b := range shares {
		z := group.NewScalar()
		if err := z.Decode(b); err != nil {
			return nil, fmt.Errorf("signature share of signer %d is not a scalar", s.set.ids[i])
		}
		answers[i] = &frost.SignatureShare{Group: group, SignerIdentifier: s.set.ids[i], SignatureShare: z}
	}
	config, commitments, err := s.libraryInputs()
	if err != nil {
		return nil, err
	}
	var out []byte
	err = locked(func() error {
		sig, err := config.AggregateSignatures(s.message, answers, commitments, false)
		if err != nil {
			return fmt.Errorf("the signing library: %w", err)
		}
		out = append(sig.R.Encode(), sig.Z.Encode()...)
		return nil
	})
	if err != nil || s.key.offset == nil {
		return out, err
	}
	return s.addOffset(out)
}

// addOffset adds to a sum of signature shares what nobody has a share of: c times
// the offset of a child key.
func (s *Session) addOffset(sig []byte) ([]byte, error) {
	z, err := edwards25519.DecodeScalar(sig[32:])
	if err != nil {
		return nil, err
	}
	c := h2(sig[:32], s.key.public[:], s.message)
	sum := edwards25519.EncodeScalar(z.Add(z, c.Mul(c, s.key.offset)))
	return append(sig[:32:32], sum[:]...), nil
}

// libraryInputs returns a configuration with the signers of this session and no
// others, and their commitments. An identifier serves as the id of its
// commitment. The public shares are not the true ones (see [standIns]).
func (s *Session) libraryInputs() (*frost.Configuration, frost.CommitmentList, error) {
	public, err := element(s.key.public[:])
	if err != nil {
		return nil, nil, err
	}
	config := &frost.Configuration{
		Ciphersuite: frost.Ed25519, Threshold: s.key.t, MaxSigners: s.key.n, VerificationKey: public,
	}
	var commitments frost.CommitmentList
	shares := standIns()
	for i, id := range s.set.ids {
		config.SignerPublicKeyShares = append(config.SignerPublicKeyShares, shares[id])
		hiding, err := element(s.nonces[i].bytes[:32])
		if err != nil {
			return nil, nil, err
		}
		binding, err := element(s.nonces[i].bytes[32:])
		if err != nil {
			return nil, nil, err
		}
		commitments = append(commitments, &frost.Commitment{
			HidingNonceCommitment: hiding, BindingNonceCommitment: binding,
			CommitmentID: uint64(id), SignerID: id, Group: group,
		})
	}
	return config, commitments, nil
}

// standIns returns a placeholder public share for each identifier, (id+1)·B. The
// library requires public shares but only uses them to verify signature shares,
// which [VerifyBatch] does here. It might refuse the true ones without naming
// whose they were: the last dealer can choose the share 0 or 1 for itself, and two
// colluding dealers can have equal ones. None of that does harm, and it must not
// keep the others from signing.
var standIns = sync.OnceValue(func() []*keys.PublicKeyShare {
	shares := make([]*keys.PublicKeyShare, maxSigners+1)
	p := curve.NewEdwardsPoint().Set(curve.ED25519_BASEPOINT_POINT)
	for id := 1; id < len(shares); id++ {
		var err error
		if shares[id], err = publicShare(uint16(id), p.Add(p, curve.ED25519_BASEPOINT_POINT)); err != nil {
			panic("rfc9591: " + err.Error()) // of constants alone
		}
	}
	return shares
})

// publicShare returns the library's form of a public share.
func publicShare(id uint16, p *Point) (*keys.PublicKeyShare, error) {
	b := edwards25519.Encode(p)
	e, err := element(b[:])
	if err != nil {
		return nil, err
	}
	share, err := keys.NewPublicKeyShare(group, id, e, nil)
	if err != nil {
		return nil, fmt.Errorf("the signing library refuses a public share: %w", err)
	}
	return share, nil
}

func element(b []byte) (*ecc.Element, error) {
	e := group.NewElement()
	if err := e.Decode(b); err != nil {
		return nil, errors.New("the signing library refuses a point")
	}
	return e, nil
}
