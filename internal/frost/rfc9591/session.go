package rfc9591

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Session is one message under one key, the signers and their public nonces.
type Session struct {
	key     *Key
	set     *SignerSet
	nonces  []*PubNonce // in the order of the set
	message []byte
	transcript
}

// transcript is what a session's hashes yield.
type transcript struct {
	binding []Point  // nonces, in the order of the set
	rho     []Scalar // binding factors, in the order of the set
	r       [32]byte // group commitment
	c       Scalar   // challenge
}

// Input is what a session is made of: one public nonce per signer, in the order of the set.
type Input struct {
	Key     *Key
	Nonces  []*PubNonce
	Message []byte
}

// NewSessions computes what the shares of a batch of sessions depend on. They keep the inputs.
func NewSessions(set *SignerSet, inputs []Input) ([]Session, error) {
	sessions := make([]Session, len(inputs))
	for i, in := range inputs {
		if len(set.ids) != int(in.Key.t) || set.ids[len(set.ids)-1] > in.Key.n {
			return nil, fmt.Errorf("session: the set of %d signers is not one of %d among %d",
				len(set.ids), in.Key.t, in.Key.n)
		}
		if len(in.Nonces) != len(set.ids) {
			return nil, fmt.Errorf("session: %d public nonces for %d signers", len(in.Nonces), len(set.ids))
		}
		sessions[i] = Session{key: in.Key, set: set, nonces: in.Nonces, message: in.Message}
	}
	newTranscripts(sessions, len(set.ids))
	return sessions, nil
}

// PublicKey returns the encoded key that the signature verifies under.
func (s *Session) PublicKey() []byte { return s.key.public[:] }

// Key returns the key of the session.
func (s *Session) Key() *Key { return s.key }

// newTranscripts computes the binding factors, the group commitments and the challenges.
// RFC 9591, sections 4.4 to 4.6. Variable time: all of it is public.
func newTranscripts(sessions []Session, t int) {
	hiding, sums := make([]edwards25519.Affine, 0, len(sessions)*t), make([]edwards25519.Affine, len(sessions))
	for i := range sessions {
		for _, n := range sessions[i].nonces {
			hiding = append(hiding, n.hiding)
		}
	}
	edwards25519.SumsVartime(sums, hiding)
	factors, binding := make([]Scalar, len(sessions)*t), make([]Point, len(sessions)*t)
	points := make([]edwards25519.Affine, 0, len(binding))
	rs, products := make([]Point, len(sessions)), make([]Point, len(sessions))
	var h hasher
	for i := range sessions {
		s := &sessions[i]
		s.rho, s.binding = factors[i*t:][:t], binding[i*t:][:t]
		h.bindingFactors(s)
		for j, n := range s.nonces {
			edwards25519.SetAffine(&s.binding[j], &n.binding)
			points = append(points, n.binding)
		}
	}
	edwards25519.MultiScalarMultsVartime(products, factors, points)
	for i := range rs {
		edwards25519.SetAffine(&rs[i], &sums[i])
		rs[i].Add(&rs[i], &products[i])
	}
	for i, r := range edwards25519.Affines(rs) {
		sessions[i].r = r.Encode()
		h.challenge(&sessions[i])
	}
}

// Sign consumes the secret nonce, whatever it returns, and returns the signature
// share of the signer id, whose secret share is 32 bytes. The result is not
// checked: the caller passes it through [VerifyBatch] before anyone sees it, which
// also finds a secret share that is not the signer's. RFC 9591, section 5.2, sign.
func (s *Session) Sign(nonce *SecNonce, share []byte, id uint16) ([]byte, error) {
	pair := nonce.pair.Swap(nil)
	if pair == nil {
		return nil, ErrNonceUsed
	}
	defer pair.wipe()
	pos, ok := s.set.Position(id)
	if !ok {
		return nil, ErrNotASigner
	}
	if pair.pub != s.nonces[pos].bytes {
		return nil, errors.New("own public nonce in the set is not the one that belongs to the secret nonce")
	}
	secret, ok := decodeShare(share)
	if !ok {
		return nil, ErrShare
	}
	defer secret.Zero()
	// hiding + ρ·binding + λ·c·secret, in constant time
	z := scalar.New()
	defer z.Zero()
	z.Add(&pair.secrets[0], z.Mul(&s.rho[pos], &pair.secrets[1]))
	z.Add(z, secret.Mul(secret, scalar.New().Mul(&s.c, s.set.lambdas[pos]())))
	out := edwards25519.EncodeScalar(z)
	return out[:], nil
}

// Aggregate adds up one signature share of 32 bytes per signer, in the order of
// the set, to a signature; of a child also what nobody has a share of, the challenge times its
// offset. It is not verified: crypto/ed25519 does that. RFC 9591, section 5.3, aggregate.
func (s *Session) Aggregate(shares [][]byte) ([]byte, error) {
	if len(shares) != len(s.set.ids) {
		return nil, fmt.Errorf("aggregating %d signature shares of %d signers", len(shares), len(s.set.ids))
	}
	var z, share Scalar
	for i, b := range shares {
		if _, err := share.SetCanonicalBytes(b); err != nil {
			return nil, fmt.Errorf("signature share of signer %d is not a scalar", s.set.ids[i])
		}
		z.Add(&z, &share)
	}
	if s.key.offset != nil {
		z.Add(&z, share.Mul(&s.c, s.key.offset))
	}
	sum := edwards25519.EncodeScalar(&z)
	return append(append(make([]byte, 0, 64), s.r[:]...), sum[:]...), nil
}

// idBytes encodes an identifier as a scalar.
func idBytes(id uint16) (b [32]byte) {
	binary.LittleEndian.PutUint16(b[:], id)
	return b
}

// IsShare reports whether b encodes a signature share: a canonical scalar other than zero,
// which no honest signer sends.
func IsShare(b []byte) bool {
	_, ok := decodeShare(b)
	return ok
}

// decodeShare reads a scalar other than zero.
func decodeShare(b []byte) (*Scalar, bool) {
	s, err := edwards25519.DecodeScalar(b)
	return s, err == nil && s.Equal(scalar.New()) == 0
}
