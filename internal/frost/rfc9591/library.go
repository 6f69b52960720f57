package rfc9591

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/bytemare/ecc"
	"github.com/bytemare/frost"
	"github.com/bytemare/secret-sharing/keys"
	"github.com/oasisprotocol/curve25519-voi/curve"
)

// library guards every call into bytemare/frost in this process: its hash
// functions share one state.
var library sync.Mutex

// group is the library's name for edwards25519.
const group = ecc.Edwards25519Sha512

// locked runs f, which calls into the library, alone in the process, and turns
// a panic into an error. The panic's value is named only if the Go runtime made
// it, as no other source promises to keep secrets out of it.
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

// Sign consumes the secret nonce, whatever it returns, and returns the signature
// share of the signer id, whose secret share is 32 bytes. The result is not
// checked: the caller passes it through [VerifyBatch] before anyone sees it. RFC 9591, section 5.2, sign.
//
// Scalars that were made here are wiped. The library's own copies of the share
// and its intermediate results are out of reach and left to the garbage collector.
func (s *Session) Sign(nonce *SecNonce, share []byte, id uint16) ([]byte, error) {
	pair, err := nonce.take()
	if err != nil {
		return nil, err
	}
	defer pair.wipe()
	pos, ok := s.set.Position(id)
	if !ok {
		return nil, ErrNotASigner
	}
	if pair.pub.bytes != s.nonces[pos].bytes {
		return nil, errors.New("own public nonce in the set is not the one that belongs to the secret nonce")
	}
	secret := group.NewScalar()
	defer secret.Zero()
	if err := secret.Decode(share); err != nil || secret.IsZero() {
		return nil, ErrShare
	}
	config, set, err := s.libraryInputs(id)
	if err != nil {
		return nil, err
	}
	keyShare, err := keys.NewKeyShare(group, id, secret, config.VerificationKey, nil)
	if err != nil {
		return nil, ErrShare // the library's errors are not known to be free of the share
	}
	if !keyShare.PublicKey().Equal(config.SignerPublicKeyShares[pos].PublicKey()) {
		return nil, errors.New("the secret share is not that of the signer in this key")
	}
	var out []byte
	err = locked(func() error {
		answer, err := signOnce(config, keyShare, pair, set)
		if err == nil {
			out = answer.SignatureShare.Encode()
		}
		return err
	})
	return out, err
}

// signOnce puts the nonces into a signer made for this one signature share, and
// clears them when it returns or panics.
func signOnce(
	config *frost.Configuration, share *keys.KeyShare, pair *noncePair, set *commitmentSet,
) (*frost.SignatureShare, error) {
	if err := config.Init(); err != nil {
		return nil, fmt.Errorf("the signing library refuses the key: %w", err)
	}
	signer := newSigner(config, share)
	own := set.list.Get(share.Identifier())
	hiding, binding := group.NewScalar(), group.NewScalar()
	defer hiding.Zero()
	defer binding.Zero()
	if hiding.Decode(pair.hiding[:]) != nil || binding.Decode(pair.binding[:]) != nil {
		return nil, errors.New("a secret nonce is not a scalar in range")
	}
	signer.NonceCommitments[own.CommitmentID] = &frost.Nonce{
		HidingNonce: hiding, BindingNonce: binding, Commitment: own.Copy(),
	}
	defer signer.ClearNonceCommitment(own.CommitmentID)
	answer, err := signer.Sign(set.message, set.list)
	if err != nil {
		return nil, fmt.Errorf("the signing library: %w", err)
	}
	return answer, nil
}

// newSigner makes a signer as the library's own constructor does, without
// multiplying the share once more: keys.NewKeyShare has just done that, and the
// result was compared with the public share.
func newSigner(config *frost.Configuration, share *keys.KeyShare) *frost.Signer {
	s := &frost.Signer{KeyShare: share, Configuration: config, NonceCommitments: make(map[uint64]*frost.Nonce)}
	s.LambdaRegistry = emptyMap(s.LambdaRegistry)
	return s
}

// emptyMap makes a map of a type that can't be named here.
func emptyMap[M ~map[K]V, K comparable, V any](M) M { return make(M) }

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
	config, set, err := s.libraryInputs(0)
	if err != nil {
		return nil, err
	}
	var out []byte
	err = locked(func() error {
		sig, err := config.AggregateSignatures(set.message, answers, set.list, false)
		if err != nil {
			return fmt.Errorf("the signing library: %w", err)
		}
		out = append(sig.R.Encode(), sig.Z.Encode()...)
		return nil
	})
	return out, err
}

// commitmentSet is the library's form of a session's nonces and message.
type commitmentSet struct {
	list    frost.CommitmentList
	message []byte
}

// libraryInputs returns a configuration with the signers of this session and no
// others, and their commitments. An identifier serves as the id of its
// commitment. For signing, every point in it was checked before. Of the public
// shares only that of own, the signer, if there is one, is the true one (see
// [standIns]).
func (s *Session) libraryInputs(own uint16) (*frost.Configuration, *commitmentSet, error) {
	public, err := element(s.key.public[:])
	if err != nil {
		return nil, nil, err
	}
	config := &frost.Configuration{
		Ciphersuite: frost.Ed25519, Threshold: s.key.t, MaxSigners: s.key.n, VerificationKey: public,
	}
	set := &commitmentSet{message: s.message}
	shares := standIns()
	for i, id := range s.set.ids {
		share := shares[id]
		if id == own {
			if share, err = publicShare(id, s.key.Pubshare(id)); err != nil {
				return nil, nil, err
			}
		}
		config.SignerPublicKeyShares = append(config.SignerPublicKeyShares, share)
		hiding, err := element(s.nonces[i].bytes[:32])
		if err != nil {
			return nil, nil, err
		}
		binding, err := element(s.nonces[i].bytes[32:])
		if err != nil {
			return nil, nil, err
		}
		set.list = append(set.list, &frost.Commitment{
			HidingNonceCommitment: hiding, BindingNonceCommitment: binding,
			CommitmentID: uint64(id), SignerID: id, Group: group,
		})
	}
	return config, set, nil
}

// standIns returns a placeholder public share for each identifier, (id+1)·B. The
// library requires public shares but only uses them to verify signature shares,
// which [VerifyBatch] does here. It might refuse the true ones without naming
// whose they were: the last dealer can choose the share 0 or 1 for itself, and two
// colluding dealers can have equal ones. None of that does harm, and it must not
// keep the others from signing.
var standIns = sync.OnceValue(func() []*keys.PublicKeyShare {
	shares := make([]*keys.PublicKeyShare, 256)
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
	b := encodePoint(p)
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
