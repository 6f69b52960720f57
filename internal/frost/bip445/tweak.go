package bip445

import (
	secp "gitlab.com/yawning/secp256k1-voi"
)

// TweakContext is a threshold public key with the tweaks applied so far. Its
// key is ±(threshold key) + tacc·G; gacc is that sign. It does not change;
// applying a tweak makes another.
type TweakContext struct {
	q    encoded
	gacc *Scalar // 1 or -1
	tacc *Scalar
}

// NewTweakContext starts from a threshold public key of 33 bytes. BIP 445,
// TweakCtxInit.
func NewTweakContext(thresholdKey []byte) (*TweakContext, error) {
	p, ok := parsePoint(thresholdKey)
	if !ok {
		return nil, invalid(BadThresholdKey)
	}
	q, _ := encode(p) // a compressed point is never the identity
	return untweaked(q), nil
}

// TweakContextFromWire starts from a threshold public key as a wire point, 64
// bytes, which costs no square root.
func TweakContextFromWire(thresholdKey []byte) (*TweakContext, error) {
	q, ok := encodedFromWire(thresholdKey)
	if !ok {
		return nil, invalid(BadThresholdKey)
	}
	return untweaked(q), nil
}

func untweaked(q encoded) *TweakContext {
	return &TweakContext{q: q, gacc: secp.NewScalar().One(), tacc: secp.NewScalar()}
}

// Apply adds tweak·G, 32 bytes below the group order, to the key, or if xonly
// is set, to the one of key and -key that has an even y. BIP 445, ApplyTweak.
// A tweak is public: this is variable time.
func (c *TweakContext) Apply(tweak []byte, xonly bool) (*TweakContext, error) {
	if len(tweak) != 32 {
		return nil, invalid(BadTweakLength)
	}
	t, err := secp.NewScalarFromCanonicalBytes((*[32]byte)(tweak))
	if err != nil {
		return nil, invalid(BadTweak)
	}
	var negate uint64
	if xonly {
		negate = c.q.yIsOdd()
	}
	sum := secp.NewIdentityPoint().ScalarBaseMult(t)
	sum.Add(sum, secp.NewIdentityPoint().ConditionalNegate(c.q.p, negate))
	q, ok := encode(sum)
	if !ok {
		return nil, invalid(TweakToInfinity)
	}
	tacc := secp.NewScalar().ConditionalNegate(c.tacc, negate)
	return &TweakContext{
		q:    q,
		gacc: secp.NewScalar().ConditionalNegate(c.gacc, negate),
		tacc: tacc.Add(tacc, t),
	}, nil
}

// applyAll applies tweaks in order, each with its mode.
func (c *TweakContext) applyAll(tweaks [][]byte, xonly []bool) (*TweakContext, error) {
	if len(tweaks) != len(xonly) {
		return nil, invalid(BadTweakCount)
	}
	var err error
	for i := range tweaks {
		if c, err = c.Apply(tweaks[i], xonly[i]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// XOnly gives the key as BIP 340 encodes it. BIP 445, GetXonlyPubkey.
func (c *TweakContext) XOnly() [32]byte { return *c.q.x() }

// Plain gives the key compressed. BIP 445, GetPlainPubkey.
func (c *TweakContext) Plain() [PointSize]byte {
	return [PointSize]byte(c.q.appendCompressed(nil))
}

// sign is 1 or -1: what a secret share is multiplied by so that it belongs to
// the key with an even y. The specification's g·gacc.
func (c *TweakContext) sign() *Scalar {
	return secp.NewScalar().ConditionalNegate(c.gacc, c.q.yIsOdd())
}

// addend is what the tweaks add to the sum of partial signatures, divided by
// the challenge. The specification's g·tacc.
func (c *TweakContext) addend() *Scalar {
	return secp.NewScalar().ConditionalNegate(c.tacc, c.q.yIsOdd())
}
