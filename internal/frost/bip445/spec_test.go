package bip445

import (
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// The specification's functions, which take bytes and validate them in every
// call, on top of the package's types. The official vectors are written for them.

// SignersContext is a signer set with the public shares of one key, validated.
type SignersContext struct {
	set       *SignerSet
	pubshares []*Pubshare   // in the order of the set's ids
	key       vartime.Point // the threshold public key
}

// NewSignersContext validates the ids and that their public shares (33 bytes
// each, in the same order) interpolate to thresholdKey. Both must come from the
// signer's own key generation, never from the coordinator. BIP 445,
// ValidateSignersCtx; part of ValidateThresholdInfo in draft 0.10.0.
func NewSignersContext(n, t int, ids []int, pubshares [][]byte, thresholdKey []byte) (*SignersContext, error) {
	set, err := NewSignerSet(n, t, ids)
	if err != nil {
		return nil, err
	}
	if len(pubshares) != len(ids) {
		return nil, BadPubshareCount
	}
	points := make([]vartime.Point, len(ids))
	shares := make([]*Pubshare, len(ids))
	for i := range ids {
		p, ok := parsePoint(pubshares[i])
		if !ok {
			return nil, fmt.Errorf("%w (position %d)", BadPubshare, i)
		}
		points[i] = p
		shares[i], _ = NewPubshare(p) // a compressed point is never the identity
	}
	lambdas := make([]*Scalar, len(ids))
	for i, lambda := range set.lambdas {
		lambdas[i] = lambda()
	}
	sum := vartime.Affine(vartime.MultiScalarMult(lambdas, points))[0]
	if sum.IsIdentity() {
		return nil, KeyAtInfinity
	}
	if !slices.Equal(sum.AppendCompressed(nil), thresholdKey) {
		return nil, WrongKeyMaterial
	}
	return &SignersContext{set, shares, sum}, nil
}

// holds reports whether a public share is among the signers'.
func (c *SignersContext) holds(pubshare *Pubshare) bool {
	return slices.ContainsFunc(c.pubshares, func(p *Pubshare) bool { return p.p == pubshare.p })
}

// ParsePubNonce reads the specification's encoding, 66 bytes.
func ParsePubNonce(b []byte) (*PubNonce, bool) {
	if len(b) != PubNonceSize {
		return nil, false
	}
	n := new(PubNonce)
	for j := range n.r {
		p, ok := parsePoint(b[j*PointSize:][:PointSize])
		if !ok {
			return nil, false
		}
		n.r[j] = p
	}
	return n, true
}

// ParseSecNonce reads the specification's encoding, two scalars other than zero.
func ParseSecNonce(b []byte) (*SecNonce, error) {
	n, pair := new(SecNonce), new(noncePair)
	for j, reason := range []Reason{BadFirstNonce, BadSecondNonce} {
		k, err := secretScalar((*[32]byte)(b[32*j:]), reason)
		if err != nil {
			return nil, err
		}
		pair[j].Set(k)
	}
	n.pair.Store(pair)
	return n, nil
}

// secretScalar reads a canonical scalar other than zero.
func secretScalar(b *[32]byte, otherwise Reason) (*Scalar, error) {
	s, err := secp.NewScalarFromCanonicalBytes(b)
	if err != nil || s.IsZero() == 1 {
		return nil, otherwise
	}
	return s, nil
}

// Bytes returns the specification's encoding.
func (n *SecNonce) Bytes() []byte {
	pair := n.pair.Load()
	return append(pair[0].Bytes(), pair[1].Bytes()...)
}

// Bytes returns the specification's encoding.
func (n *PubNonce) Bytes() []byte {
	return n.r[1].AppendCompressed(n.r[0].AppendCompressed(make([]byte, 0, PubNonceSize)))
}

// Aggregate sums public nonces.
func Aggregate(nonces []*PubNonce) *AggNonce { return AggregateAll([][]*PubNonce{nonces})[0] }

// ParseAggNonce reads an aggregate nonce, in which 33 zero bytes are the
// identity.
func ParseAggNonce(b []byte) (*AggNonce, bool) {
	if len(b) != PubNonceSize {
		return nil, false
	}
	a := &AggNonce{bytes: [PubNonceSize]byte(b)}
	for j := range a.r {
		part := [PointSize]byte(b[j*PointSize:])
		if part == [PointSize]byte{} {
			continue // the identity
		}
		p, ok := parsePoint(part[:])
		if !ok {
			return nil, false
		}
		a.r[j] = p
	}
	return a, true
}

// NonceAgg sums public nonces of 66 bytes each; an invalid one is its signer's
// fault. BIP 445, NonceAgg.
func NonceAgg(pubnonces [][]byte) ([]byte, error) {
	nonces, err := parsePubNonces(pubnonces)
	if err != nil {
		return nil, err
	}
	return Aggregate(nonces).bytes[:], nil
}

// parsePubNonces blames in the specification's order: every first half before
// any second half.
func parsePubNonces(pubnonces [][]byte) ([]*PubNonce, error) {
	nonces := make([]*PubNonce, len(pubnonces))
	first := -1
	for i, b := range pubnonces {
		n, ok := ParsePubNonce(b)
		if ok {
			nonces[i] = n
			continue
		}
		if _, ok := parsePoint(b[:min(len(b), PointSize)]); !ok {
			return nil, &ContributionError{i, PublicNonce}
		}
		if first < 0 {
			first = i
		}
	}
	if first >= 0 {
		return nil, &ContributionError{first, PublicNonce}
	}
	return nonces, nil
}

// applyAll applies tweaks in order, each with its mode; plain ones in a row at once.
func (c *TweakContext) applyAll(tweaks [][]byte, xonly []bool) (*TweakContext, error) {
	if len(tweaks) != len(xonly) {
		return nil, BadTweakCount
	}
	var err error
	for i := 0; i < len(tweaks); i++ {
		var plain [][32]byte
		for ; i < len(tweaks) && !xonly[i] && len(tweaks[i]) == 32; i++ {
			plain = append(plain, [32]byte(tweaks[i]))
		}
		all, errs := ApplyPlain([]*TweakContext{c}, [][][32]byte{plain})
		if c = all[0]; errs[0] != nil || i == len(tweaks) {
			return c, errs[0]
		}
		if c, err = c.Apply(tweaks[i], xonly[i]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// NewSession computes the values of one session.
func NewSession(set *SignerSet, tweak *TweakContext, nonce *AggNonce, message []byte) *Session {
	return NewSessions(set, []Opening{{tweak, nonce, message}})[0]
}

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

// Sign returns the signer's partial signature. A caller that was refused before the
// nonce was needed may use it again. BIP 445, Sign; its last step, the check of the
// own signature, is [VerifyBatch] in package frost.
func Sign(nonce *SecNonce, share []byte, id int, c *SessionContext) ([]byte, error) {
	s, err := c.session()
	if err != nil {
		return nil, err
	}
	d, err := secretScalar((*[32]byte)(share), BadSecretShare)
	if err != nil {
		return nil, err
	}
	point := vartime.FromPoint(secp.NewIdentityPoint().ScalarBaseMult(d))
	pub, ok := NewPubshare(point)
	if !ok || !c.Signers.holds(pub) {
		return nil, OwnPubshareMissing
	}
	psig, err := s.Respond(nonce, d, id)
	if err != nil {
		return nil, err
	}
	return psig.Bytes(), nil
}

// PartialSigAgg sums partial signatures of 32 bytes, one per signer in the
// order of the context's ids; one that is not a scalar is its signer's fault. The
// signature is not verified. BIP 445, PartialSigAgg.
func PartialSigAgg(psigs [][]byte, c *SessionContext) ([]byte, error) {
	s, err := c.session()
	if err != nil {
		return nil, err
	}
	if len(psigs) != len(s.set.ids) {
		return nil, BadPartialSigCount
	}
	sum := secp.NewScalar()
	for i, b := range psigs {
		p, ok := ParseScalar(b)
		if !ok {
			return nil, &ContributionError{i, PartialSignature}
		}
		sum.Add(sum, p)
	}
	sig := s.Signature(sum)
	return sig[:], nil
}

// PartialSigVerify reports whether psig is the correct partial signature of the
// signer at index i of the context's ids, given the public nonces of all of them in the
// same order. BIP 445, PartialSigVerify. An invalid nonce is an error that
// blames its signer; the context's AggNonce is not used.
func PartialSigVerify(psig []byte, pubnonces [][]byte, c *SessionContext, i int) (bool, error) {
	if len(pubnonces) != len(c.Signers.set.ids) {
		return false, BadNonceCount
	}
	if i < 0 || i >= len(pubnonces) {
		return false, BadSignerIndex
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
	z, ok := ParseScalar(psig)
	return ok && s.Verify(z, nonces[i], c.Signers.pubshares[i], s.set.ids[i]), nil
}

// Contribution is what a signer or the coordinator sent.
type Contribution string

// What can be invalid, in the words of the specification.
const (
	PublicNonce      Contribution = "pubnonce"
	AggregateNonce   Contribution = "aggnonce"
	PartialSignature Contribution = "psig"
)

// Coordinator is the ContributionError.Signer of the coordinator.
const Coordinator = -1

// ContributionError blames a participant for something invalid that it sent.
// The specification calls it InvalidContributionError.
type ContributionError struct {
	Signer int // position in the list that was passed, or Coordinator
	Kind   Contribution
}

func (e *ContributionError) Error() string {
	if e.Signer == Coordinator {
		return fmt.Sprintf("coordinator sent an invalid %s", e.Kind)
	}
	return fmt.Sprintf("signer at position %d sent an invalid %s", e.Signer, e.Kind)
}

// Preconditions that only the specification's functions have.
const (
	BadFirstNonce      Reason = "first secret nonce is zero or not below the group order"
	BadSecondNonce     Reason = "second secret nonce is zero or not below the group order"
	BadPubshareCount   Reason = "one public share per signer id is needed"
	BadPubshare        Reason = "public share is not a point"
	WrongKeyMaterial   Reason = "public shares do not interpolate to the threshold public key"
	KeyAtInfinity      Reason = "public shares interpolate to the point at infinity"
	BadTweakCount      Reason = "one mode per tweak is needed"
	OwnPubshareMissing Reason = "public share of the secret share is not among the signers' public shares"
	BadNonceCount      Reason = "one public nonce per signer id is needed"
	BadPartialSigCount Reason = "one partial signature per signer id is needed"
	BadSignerIndex     Reason = "signer index is not below the number of signers"
)
