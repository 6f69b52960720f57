package oracle

import (
	"errors"
	"fmt"

	"github.com/bytemare/ecc"
	"github.com/bytemare/frost"
	"github.com/bytemare/secret-sharing/keys"
)

// opened is a session as the library has it.
type opened struct {
	key         []*ecc.Element // its commitments
	config      *frost.Configuration
	commitments frost.CommitmentList
}

// open has the library decode everything and compute what follows from it: the child and the
// public nonces. An identifier serves as the id of its commitment. The public shares are not the
// true ones (see [standIn]).
func (s *Session) open() (*opened, error) {
	if len(s.Commitments) != 32*s.T || s.T < 1 || len(s.Signers) != s.T || len(s.Nonces) != s.T {
		return nil, errors.New("a session of other lengths than its signers'")
	}
	o := new(opened)
	for c := range s.T {
		p, err := element(s.Commitments[32*c:][:32])
		if err != nil {
			return nil, err
		}
		o.key = append(o.key, p)
	}
	public, err := s.child(o.key[0].Copy())
	if err != nil {
		return nil, err
	}
	o.config = &frost.Configuration{
		Ciphersuite: frost.Ed25519, Threshold: uint16(s.T), MaxSigners: uint16(s.N), VerificationKey: public,
	}
	for i, id := range s.Signers {
		if err := o.addSigner(id, s.Nonces[i], s.Divided); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (s *Session) child(public *ecc.Element) (*ecc.Element, error) {
	for i := range s.Offsets {
		offset := group.NewScalar()
		if err := offset.Decode(s.Offsets[i][:]); err != nil {
			return nil, errors.New("the signing library refuses an offset")
		}
		public.Add(group.Base().Multiply(offset))
	}
	return public, nil
}

func (o *opened) addSigner(id uint16, nonce []byte, divided bool) error {
	share, err := standIn(id)
	if err != nil {
		return err
	}
	o.config.SignerPublicKeyShares = append(o.config.SignerPublicKeyShares, share)
	c := &frost.Commitment{CommitmentID: uint64(id), SignerID: id, Group: group}
	half := len(nonce) / 2
	for i, e := range []**ecc.Element{&c.HidingNonceCommitment, &c.BindingNonceCommitment} {
		if *e, err = point(nonce[half*i:][:half], divided); err != nil {
			return err
		}
	}
	o.commitments = append(o.commitments, c)
	return nil
}

// point reads a point as it is on the wire.
func point(b []byte, divided bool) (*ecc.Element, error) {
	if !divided {
		return element(b)
	}
	if len(b) != 64 {
		return nil, errors.New("a divided point of another length than 64 bytes")
	}
	compressed := [32]byte(b[32:])
	compressed[31] |= b[0] & 1 << 7 // the sign of x, RFC 8032, section 5.1.2
	p, err := element(compressed[:])
	if err != nil {
		return nil, err
	}
	return p.Multiply(group.NewScalar().SetUInt64(8)), nil
}

// pubshare is the public share of a signer: the polynomial in the exponent, by Horner's rule.
func (o *opened) pubshare(id uint16) *ecc.Element {
	x := group.NewScalar().SetUInt64(uint64(id))
	sum := o.key[len(o.key)-1].Copy()
	for c := len(o.key) - 2; c >= 0; c-- {
		sum = sum.Multiply(x).Add(o.key[c])
	}
	return sum
}

// standIn returns a placeholder public share for an identifier, (id+1)·B. The library requires
// public shares of all but only uses those whose signature shares it verifies. It might refuse the
// true ones without being right.
func standIn(id uint16) (*keys.PublicKeyShare, error) {
	return publicShare(id, group.Base().Multiply(group.NewScalar().SetUInt64(uint64(id)+1)))
}

// publicShare returns the library's form of a public share.
func publicShare(id uint16, e *ecc.Element) (*keys.PublicKeyShare, error) {
	share, err := keys.NewPublicKeyShare(group, id, e, nil)
	if err != nil {
		return nil, fmt.Errorf("the signing library refuses a public share: %w", err)
	}
	return share, nil
}
