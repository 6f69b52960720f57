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

// NewSession computes the values of one session.
func NewSession(set *SignerSet, tweak *TweakContext, nonce *AggNonce, message []byte) *Session {
	return NewSessions(set, []Opening{{tweak, nonce, message}})[0]
}

// Nonce returns the point R of the signature.
func (s *Session) Nonce() vartime.Point { return s.r }

// SessionContext is the specification's, as bytes. The specification makes public
// shares optional in draft 0.10.0; here they are required, as every node
// has them from the key generation and checks partial signatures with them.
type SessionContext struct {
	AggNonce []byte
	Signers  *SignersContext
	Tweaks   [][]byte
	XOnly    []bool
	Message  []byte
}

// session validates a context and computes its values.
func (c *SessionContext) session() (*Session, error) {
	tweak, err := untweaked(c.Signers.key).applyAll(c.Tweaks, c.XOnly)
	if err != nil {
		return nil, err
	}
	nonce, ok := ParseAggNonce(c.AggNonce)
	if !ok {
		return nil, &ContributionError{Coordinator, AggregateNonce}
	}
	return NewSession(c.Signers.set, tweak, nonce, c.Message), nil
}

// Sign consumes the secret nonce, whatever it returns, and returns the signer's
// partial signature, checked. BIP 445, Sign. The share is 32 bytes.
func Sign(nonce *SecNonce, share []byte, id int, c *SessionContext) ([]byte, error) {
	k1, k2, err := nonce.take()
	if err != nil {
		return nil, err
	}
	defer k1.Zero()
	defer k2.Zero()
	s, err := c.session()
	if err != nil {
		return nil, err
	}
	d, err := secretScalar(share, BadSecretShare)
	if err != nil {
		return nil, err
	}
	defer d.Zero()
	point, _ := encode(secp.NewIdentityPoint().ScalarBaseMult(d))
	pub, ok := NewPubshare(point)
	if !ok || !c.Signers.holds(pub) {
		return nil, invalid(OwnPubshareMissing)
	}
	pos, ok := s.set.Position(id)
	if !ok {
		return nil, invalid(OwnIDMissing)
	}
	psig := s.respond(k1, k2, d, pos)
	own := new(PubNonce)
	for j, k := range []*Scalar{k1, k2} {
		own.r[j], _ = encode(secp.NewIdentityPoint().ScalarBaseMult(k))
	}
	if !s.verify(psig, own, pub, pos) {
		return nil, ErrSelfCheck
	}
	return psig.Bytes(), nil
}

// Respond consumes the secret nonce and returns the partial signature of the
// signer id with the share d, unchecked: the caller passes it through
// [VerifyBatch] before anyone sees it.
func (s *Session) Respond(nonce *SecNonce, d *Scalar, id int) (*Scalar, error) {
	k1, k2, err := nonce.take()
	if err != nil {
		return nil, err
	}
	defer k1.Zero()
	defer k2.Zero()
	pos, ok := s.set.Position(id)
	if !ok {
		return nil, invalid(OwnIDMissing)
	}
	if d.IsZero() == 1 {
		return nil, invalid(BadSecretShare)
	}
	return s.respond(k1, k2, d, pos), nil
}

// respond returns ±(k1 + b·k2) + e·λ·(g·gacc)·d in constant time.
func (s *Session) respond(k1, k2, d *Scalar, pos int) *Scalar {
	k := secp.NewScalar().Multiply(s.b, k2)
	k.ConditionalNegate(k.Add(k, k1), bit(s.r.YIsOdd()))
	psig := secp.NewScalar().Multiply(s.weightOf(pos), d)
	psig.Add(psig, k)
	k.Zero()
	return psig
}

// weightOf returns e·λ·g·gacc: the weight of a share in its signer's partial signature.
func (s *Session) weightOf(pos int) *Scalar {
	w := secp.NewScalar().Multiply(s.e, s.set.lambdas()[pos])
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

// PartialSigAgg sums partial signatures of 32 bytes, one per signer in the
// order of the context's ids; one that is not a scalar is its signer's fault. The
// signature is not verified. BIP 445, PartialSigAgg.
func PartialSigAgg(psigs [][]byte, c *SessionContext) ([]byte, error) {
	s, err := c.session()
	if err != nil {
		return nil, err
	}
	if len(psigs) != s.set.Len() {
		return nil, invalid(BadPartialSigCount)
	}
	sum := secp.NewScalar()
	for i, b := range psigs {
		p, ok := ParsePartialSig(b)
		if !ok {
			return nil, &ContributionError{i, PartialSignature}
		}
		sum.Add(sum, p)
	}
	sig := s.Signature(sum)
	return sig[:], nil
}

// ParsePartialSig reads a canonical scalar of 32 bytes.
func ParsePartialSig(b []byte) (*Scalar, bool) {
	if len(b) != PartialSigSize {
		return nil, false
	}
	s, err := secp.NewScalarFromCanonicalBytes((*[32]byte)(b))
	return s, err == nil
}
