package rfc9591

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Session is one message under one key, the signers and their public nonces.
type Session struct {
	key     *Key
	set     *SignerSet
	nonces  []*PubNonce // in the order of the set
	message []byte

	transcript func() *transcript // computed when first needed
}

// NewSession takes one public nonce per signer, in the order of the set.
func NewSession(key *Key, set *SignerSet, nonces []*PubNonce, message []byte) (*Session, error) {
	if len(set.ids) != int(key.t) || set.ids[len(set.ids)-1] > key.n {
		return nil, fmt.Errorf("session: the set of %d signers is not one of %d among %d", len(set.ids), key.t, key.n)
	}
	if len(nonces) != len(set.ids) {
		return nil, fmt.Errorf("session: %d public nonces for %d signers", len(nonces), len(set.ids))
	}
	s := &Session{key: key, set: set, nonces: nonces, message: message}
	s.transcript = sync.OnceValue(s.hash)
	return s, nil
}

// PublicKey returns the encoded key that the signature verifies under.
func (s *Session) PublicKey() []byte { return s.key.public[:] }

// transcript is what a session's hashes yield.
type transcript struct {
	rho []*Scalar // binding factors, in the order of the set
	r   [32]byte  // group commitment
	c   *Scalar   // challenge
}

// hash computes the binding factors, the group commitment and the challenge.
// RFC 9591, sections 4.4 to 4.6. Variable time: all of it is public.
func (s *Session) hash() *transcript {
	list := make([]byte, 0, len(s.set.ids)*96)
	for i, id := range s.set.ids {
		list = append(append(list, idBytes(id)...), s.nonces[i].bytes[:]...)
	}
	message, commitments := h4(s.message), h5(list)
	t := &transcript{rho: make([]*Scalar, len(s.nonces))}
	binding := make([]*Point, len(s.nonces))
	sum := curve.NewEdwardsPoint()
	for i, n := range s.nonces {
		t.rho[i] = h1(s.key.public[:], message[:], commitments[:], idBytes(s.set.ids[i]))
		binding[i] = n.binding
		sum.Add(sum, n.hiding)
	}
	t.r = edwards25519.Encode(sum.Add(sum, edwards25519.MultiScalarMultVartime(t.rho, binding)))
	t.c = h2(t.r[:], s.key.public[:], s.message)
	return t
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
	if pair.pub.bytes != s.nonces[pos].bytes {
		return nil, errors.New("own public nonce in the set is not the one that belongs to the secret nonce")
	}
	secret, ok := decodeShare(share)
	if !ok {
		return nil, ErrShare
	}
	defer secret.Zero()
	// hiding + ρ·binding + λ·c·secret, in constant time
	t, z := s.transcript(), scalar.New()
	defer z.Zero()
	z.Add(&pair.hiding, z.Mul(t.rho[pos], &pair.binding))
	z.Add(z, secret.Mul(secret, scalar.New().Mul(t.c, s.set.lambdas[pos]())))
	out := edwards25519.EncodeScalar(z)
	return out[:], nil
}

// idBytes encodes an identifier as a scalar.
func idBytes(id uint16) []byte {
	b := make([]byte, 32)
	binary.LittleEndian.PutUint16(b, id)
	return b
}

// Claim states that Share is the signature share of the signer ID in Session.
type Claim struct {
	Session *Session
	ID      uint16
	Share   []byte // a scalar of 32 bytes
}

// VerifyBatch reports whether all claims hold; a batch of one checks a
// single share. It checks z·B = D + ρ·E + λ·c·P for all at once, with weights
// from a hash over the claims: a batch with a false claim passes with
// probability 2^-127. The shares, which may not be public yet, are handled in
// constant time. RFC 9591, section 5.4, verify_signature_share.
func VerifyBatch(claims []Claim) bool {
	sum := scalar.New()
	scalars := make([]*Scalar, 0, 3*len(claims))
	points := make([]*Point, 0, 3*len(claims))
	ts := make([]*transcript, len(claims))
	for i, c := range claims {
		ts[i] = c.Session.transcript()
	}
	seed := hashClaims(claims, ts) // shares of a wrong length are refused below
	for i, c := range claims {
		s := c.Session
		pos, ok := s.set.Position(c.ID)
		if !ok {
			return false
		}
		z, err := edwards25519.DecodeScalar(c.Share)
		if err != nil {
			return false
		}
		a := weight(&seed, i)
		sum.Add(sum, z.Mul(z, a))
		lambdaC := scalar.New().Mul(ts[i].c, s.set.lambdas[pos]())
		scalars = append(scalars, a, scalar.New().Mul(a, ts[i].rho[pos]), lambdaC.Mul(lambdaC, a))
		points = append(points, s.nonces[pos].hiding, s.nonces[pos].binding, s.key.Pubshare(c.ID))
	}
	right := edwards25519.MultiScalarMultVartime(scalars, points)
	return right.Equal(edwards25519.BaseMult(sum)) == 1
}

// hashClaims hashes everything the equation depends on. The challenge represents
// key, message and nonces; the commitments represent the public shares.
func hashClaims(claims []Claim, ts []*transcript) [64]byte {
	var parts [][]byte
	for i, c := range claims {
		challenge := edwards25519.EncodeScalar(ts[i].c)
		parts = append(parts, challenge[:], idBytes(c.ID), c.Share, c.Session.key.encoded)
		for _, n := range c.Session.nonces {
			parts = append(parts, n.bytes[:])
		}
	}
	return hash("frostfleet/rfc9591/batch/v1", parts...)
}

// weight returns an odd scalar of 128 bits, 1 for the first claim.
func weight(seed *[64]byte, i int) *Scalar {
	if i == 0 {
		return scalarOf(1)
	}
	h := hash("frostfleet/rfc9591/weight/v1", seed[:], binary.BigEndian.AppendUint64(nil, uint64(i)))
	var b [32]byte
	copy(b[:16], h[:16])
	b[0] |= 1
	s, err := scalar.NewFromCanonicalBytes(b[:])
	if err != nil {
		panic("rfc9591: 128 bits are not a scalar: " + err.Error())
	}
	return s
}

// IsShare reports whether b encodes a signature share: a canonical scalar. The
// library treats zero as missing, and no honest signer sends it.
func IsShare(b []byte) bool {
	_, ok := decodeShare(b)
	return ok
}

// decodeShare reads a scalar other than zero.
func decodeShare(b []byte) (*Scalar, bool) {
	s, err := edwards25519.DecodeScalar(b)
	return s, err == nil && s.Equal(scalar.New()) == 0
}
