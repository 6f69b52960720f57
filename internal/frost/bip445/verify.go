package bip445

import (
	"encoding/binary"

	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// Verify reports whether psig is the correct partial signature of the signer id
// with this public nonce and public share: psig·G = ±(R1 + b·R2) + e·λ·g·gacc·P.
// BIP 445, PartialSigVerifyInternal. The partial signature, which may not be
// public yet, is handled in constant time.
func (s *Session) Verify(psig *Scalar, nonce *PubNonce, pubshare *Pubshare, id int) bool {
	pos, ok := s.set.Position(id)
	if !ok {
		return false
	}
	odd := s.r.YIsOdd()
	weight := s.weightOf(pos)
	sum := vartime.MultiScalarMult(
		[]*Scalar{s.b, weight.ConditionalNegate(weight, bit(odd))},
		[]vartime.Point{nonce.r[1], pubshare.p})
	sum.AddPoint(&nonce.r[0])
	if odd {
		sum = sum.Negate()
	}
	return equalsBase(&sum, psig)
}

// equalsBase reports whether sum is s·G, constant time in s.
func equalsBase(sum *vartime.Jacobian, s *Scalar) bool {
	p := vartime.FromPoint(secp.NewIdentityPoint().ScalarBaseMult(s))
	return sum.Equals(&p)
}

// Claim states that Sig is the partial signature in Session of the signer ID with
// this public nonce and public share.
type Claim struct {
	Session  *Session
	ID       int
	Sig      *Scalar
	Nonce    *PubNonce
	Pubshare *Pubshare
}

var claimTag = bip340.NewTag("frostfleet/bip445/batch/v1")

// VerifyBatch reports whether all claims hold, at the cost of one multi-scalar
// multiplication; if not, [Session.Verify] finds which. The weights come from a
// hash of the claims, so a batch with a false claim passes with
// probability 2^-127. The partial signatures, which may not be public yet, are
// handled in constant time.
func VerifyBatch(claims []Claim) bool {
	switch len(claims) {
	case 0:
		return true
	case 1:
		c := &claims[0]
		return c.Session.Verify(c.Sig, c.Nonce, c.Pubshare, c.ID)
	}
	weights := bip340.Weights(hashClaims(claims))
	sum, weighted := secp.NewScalar(), secp.NewScalar()
	defer func() { sum.Zero(); weighted.Zero() }() // own shares that fail leave nothing behind
	scalars := make([]*Scalar, 0, 3*len(claims))
	points := make([]vartime.Point, 0, 3*len(claims))
	for i, c := range claims {
		s := c.Session
		pos, ok := s.set.Position(c.ID)
		if !ok {
			return false
		}
		a := weights.At(i)
		odd := s.r.YIsOdd()
		sum.Add(sum, weighted.Multiply(a, c.Sig))
		ab := secp.NewScalar().Multiply(a, s.b)
		// The first nonce changes sign and not its weight, which is short.
		scalars = append(scalars, a, ab.ConditionalNegate(ab, bit(odd)), secp.NewScalar().Multiply(a, s.weightOf(pos)))
		points = append(points, c.Nonce.r[0].NegateIf(odd), c.Nonce.r[1], c.Pubshare.p)
	}
	right := vartime.MultiScalarMult(scalars, points)
	return equalsBase(&right, sum)
}

// hashClaims hashes what the equation is about: b and e represent what they
// were hashed from.
func hashClaims(claims []Claim) [32]byte {
	parts := make([][]byte, 0, 8*len(claims))
	shares := make([][]byte, len(claims))
	defer func() {
		for _, share := range shares {
			clear(share)
		}
	}()
	for i, c := range claims {
		s := c.Session
		shares[i] = c.Sig.Bytes()
		parts = append(parts, binary.BigEndian.AppendUint32(nil, uint32(c.ID)), s.tweak.sign().Bytes(),
			shares[i], s.b.Bytes(), s.e.Bytes(), s.r.AppendWire(nil),
			c.Nonce.AppendWire(nil), c.Pubshare.p.AppendWire(nil))
	}
	return claimTag.Hash(parts...)
}
