package bip445

import (
	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// Session is what all signers of one message have in common: who signs, under
// which key, and the resulting values b, R and e.
type Session struct {
	set   *SignerSet
	tweak *TweakContext
	b, e  *Scalar
	r     vartime.Point
}

// Opening is the input of a session, beside who signs.
type Opening struct {
	Tweak   *TweakContext
	Nonce   *AggNonce
	Message []byte
}

// NewSessions computes the values of sessions with the same signers. BIP 445,
// GetSessionValues. All of it is public and this is variable time.
func NewSessions(set *SignerSet, openings []Opening) []*Session {
	sessions := make([]*Session, len(openings))
	nonces := make([]vartime.Jacobian, len(openings))
	for i, o := range openings {
		q := o.Tweak.XOnly()
		h := nonceCoefTag.Hash(set.sorted, o.Nonce.bytes[:], q[:], o.Message)
		b := wrap(&h)
		sessions[i] = &Session{set: set, tweak: o.Tweak, b: b}
		nonces[i] = vartime.MultiScalarMult([]*Scalar{b}, []vartime.Point{o.Nonce.r[1]})
		nonces[i].AddPoint(&o.Nonce.r[0])
	}
	for i, r := range vartime.Affine(nonces...) {
		if r.IsIdentity() { // only dishonest nonces add up to the identity
			r = vartime.Generator()
		}
		q, x := openings[i].Tweak.XOnly(), r.X()
		sessions[i].r = r
		sessions[i].e = bip340.Challenge(&x, &q, openings[i].Message)
	}
	return sessions
}

// Nonce returns the point R of the signature.
func (s *Session) Nonce() vartime.Point { return s.r }

// Respond consumes the secret nonce and returns the partial signature of the
// signer id with the share d, unchecked: the caller passes it through
// [VerifyBatch] before anyone sees it.
func (s *Session) Respond(nonce *SecNonce, d *Scalar, id int) (*Scalar, error) {
	pair := nonce.pair.Swap(nil)
	if pair == nil {
		return nil, ErrNonceUsed
	}
	defer pair.wipe()
	pos, ok := s.set.Position(id)
	if !ok {
		return nil, OwnIDMissing
	}
	if d.IsZero() == 1 {
		return nil, BadSecretShare
	}
	// ±(k1 + b·k2) + e·λ·(g·gacc)·d, in constant time
	k := secp.NewScalar().Multiply(s.b, &pair[1])
	k.ConditionalNegate(k.Add(k, &pair[0]), bit(s.r.YIsOdd()))
	psig := secp.NewScalar().Multiply(s.weightOf(pos), d)
	psig.Add(psig, k)
	k.Zero()
	return psig, nil
}

// weightOf returns e·λ·g·gacc: the weight of a share in its signer's partial signature.
func (s *Session) weightOf(pos int) *Scalar {
	w := secp.NewScalar().Multiply(s.e, s.set.lambdas[pos]())
	return w.Multiply(w, s.tweak.sign())
}

// Signature returns the BIP 340 signature of this session from the sum of all
// partial signatures. It is not verified.
func (s *Session) Signature(sum *Scalar) [64]byte {
	z := secp.NewScalar().Multiply(s.e, s.tweak.addend())
	z.Add(z, sum)
	var sig [64]byte
	x := s.r.X()
	copy(sig[:32], x[:])
	copy(sig[32:], z.Bytes())
	return sig
}
