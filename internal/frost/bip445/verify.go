package bip445

import (
	"encoding/binary"

	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// PartialSigVerify reports whether psig is what the signer at index i of the
// context's ids had to answer, given the public nonces of all of them in the
// same order. BIP 445, PartialSigVerify. An invalid nonce is an error that
// blames its signer; the context's AggNonce is not looked at.
func PartialSigVerify(psig []byte, pubnonces [][]byte, c *SessionContext, i int) (bool, error) {
	if len(pubnonces) != c.Signers.set.Len() {
		return false, invalid(BadNonceCount)
	}
	if i < 0 || i >= len(pubnonces) {
		return false, invalid(BadSignerIndex)
	}
	tweak, err := untweaked(c.Signers.key).applyAll(c.Tweaks, c.XOnly)
	if err != nil {
		return false, err
	}
	nonces, err := parsePubNonces(pubnonces)
	if err != nil {
		return false, err
	}
	s := NewSession(c.Signers.set, tweak, Aggregate(nonces), c.Message)
	z, ok := ParsePartialSig(psig)
	return ok && s.verify(z, nonces[i], c.Signers.pubshares[i], i), nil
}

// Verify reports whether psig is what the signer id, with this public nonce
// and public share, had to answer. Public data only: variable time.
func (s *Session) Verify(psig *Scalar, nonce *PubNonce, pubshare *Pubshare, id int) bool {
	pos, ok := s.set.Position(id)
	return ok && s.verify(psig, nonce, pubshare, pos)
}

// verify checks psig·G = ±(R1 + b·R2) + e·λ·g·gacc·P. BIP 445,
// PartialSigVerifyInternal.
func (s *Session) verify(psig *Scalar, nonce *PubNonce, pubshare *Pubshare, pos int) bool {
	sum := secp.NewIdentityPoint().MultiScalarMultVartime(
		[]*Scalar{s.b, secp.NewScalar().ConditionalNegate(s.weightOf(pos), s.r.yIsOdd())},
		[]*Point{nonce.r[1].p, pubshare.p})
	sum.Add(sum, nonce.r[0].p)
	sum.ConditionalNegate(sum, s.r.yIsOdd())
	return sum.Equal(secp.NewIdentityPoint().ScalarBaseMult(psig)) == 1
}

// Claim says that Sig is the partial signature of the signer ID, whose public
// nonce and public share these are, in Session.
type Claim struct {
	Session  *Session
	ID       int
	Sig      *Scalar
	Nonce    *PubNonce
	Pubshare *Pubshare
}

var claimTag = bip340.NewTag("frostfleet/bip445/batch/v1")

// VerifyBatch reports whether all claims hold, at the price of one multi-scalar
// multiplication; if not, [Session.Verify] says which. The weights come from a
// hash of the claims, so that a batch with a false claim passes with a
// probability of 2^-127. The partial signatures, which may not be public yet,
// meet constant time code only.
func VerifyBatch(claims []Claim) bool {
	switch len(claims) {
	case 0:
		return true
	case 1:
		c := &claims[0]
		return c.Session.Verify(c.Sig, c.Nonce, c.Pubshare, c.ID)
	}
	weights := bip340.NewWeights(hashClaims(claims))
	sum := secp.NewScalar()
	short := make([]*Scalar, 0, len(claims))
	shortPoints := make([]*Point, 0, len(claims))
	long := make([]*Scalar, 0, 2*len(claims))
	longPoints := make([]*Point, 0, 2*len(claims))
	for i, c := range claims {
		s := c.Session
		pos, ok := s.set.Position(c.ID)
		if !ok {
			return false
		}
		a := weights.At(i)
		odd := s.r.yIsOdd()
		sum.Add(sum, secp.NewScalar().Multiply(a, c.Sig))
		short = append(short, a)
		shortPoints = append(shortPoints, secp.NewIdentityPoint().ConditionalNegate(c.Nonce.r[0].p, odd))
		ab := secp.NewScalar().Multiply(a, s.b)
		long = append(long, ab.ConditionalNegate(ab, odd), secp.NewScalar().Multiply(a, s.weightOf(pos)))
		longPoints = append(longPoints, c.Nonce.r[1].p, c.Pubshare.p)
	}
	right := bip340.WeightedSumVartime(short, shortPoints, long, longPoints)
	return right.Equal(secp.NewIdentityPoint().ScalarBaseMult(sum)) == 1
}

// hashClaims hashes what the equation is about: b and e stand for what they
// were hashed from.
func hashClaims(claims []Claim) [32]byte {
	parts := make([][]byte, 0, 9*len(claims))
	for _, c := range claims {
		s := c.Session
		parts = append(parts, binary.BigEndian.AppendUint32(nil, uint32(c.ID)), s.tweak.sign().Bytes(),
			c.Sig.Bytes(), s.b.Bytes(), s.e.Bytes(), s.r.bytes[1:],
			c.Nonce.r[0].bytes[1:], c.Nonce.r[1].bytes[1:], c.Pubshare.bytes[1:])
	}
	return claimTag.Hash(parts...)
}

// multVartime gives k·p for public k and p.
func multVartime(k *Scalar, p *Point) *Point {
	return secp.NewIdentityPoint().MultiScalarMultVartime([]*Scalar{k}, []*Point{p})
}

// challenge gives BIP 340's e.
func challenge(r *encoded, q *[32]byte, message []byte) *Scalar {
	return bip340.Challenge(r.x(), q, message)
}
