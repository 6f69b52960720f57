package oracle

import (
	"errors"

	"github.com/bytemare/frost"
	"github.com/bytemare/secret-sharing/keys"
)

// Sign makes the signature share of a signer, with its secret share, hiding and binding nonce, of
// 32 bytes each. It is for tests (TestSignIsForTests): what runs gives no secret to the library.
func (s *Session) Sign(id uint16, share, hiding, binding []byte) (out []byte, err error) {
	err = locked(func() error {
		o, err := s.open()
		if err != nil {
			return err
		}
		secret, d, e := group.NewScalar(), group.NewScalar(), group.NewScalar()
		if errors.Join(secret.Decode(share), d.Decode(hiding), e.Decode(binding)) != nil {
			return errors.New("the signing library refuses a scalar")
		}
		key, err := keys.NewKeyShare(group, id, secret, o.config.VerificationKey, nil)
		if err != nil {
			return err
		}
		for i, other := range s.Signers {
			if other == id {
				o.config.SignerPublicKeyShares[i] = key.PublicKeyShare()
			}
		}
		signer, err := o.config.Signer(key)
		if err != nil {
			return err
		}
		own := o.commitments.Get(id)
		if own == nil {
			return errors.New("no signer of the session")
		}
		signer.NonceCommitments[own.CommitmentID] = &frost.Nonce{HidingNonce: d, BindingNonce: e, Commitment: own.Copy()}
		answer, err := signer.Sign(s.Message, o.commitments)
		if err == nil {
			out = answer.SignatureShare.Encode()
		}
		return err
	})
	return out, err
}
