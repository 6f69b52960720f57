package bip445

import (
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// TweakContext is a threshold public key with the tweaks applied so far. Its
// key is ±(threshold key) + tacc·G; gacc is that sign. It is immutable;
// applying a tweak returns another.
type TweakContext struct {
	q    vartime.Point
	gacc *Scalar // 1 or -1
	tacc *Scalar
}

// NewTweakContext starts from a threshold public key of 33 bytes. BIP 445,
// TweakCtxInit.
func NewTweakContext(thresholdKey []byte) (*TweakContext, error) {
	p, ok := parsePoint(thresholdKey)
	if !ok {
		return nil, BadThresholdKey
	}
	return untweaked(p), nil
}

// TweakContextFromWire starts from a threshold public key as a wire point, 64
// bytes, which costs no square root.
func TweakContextFromWire(thresholdKey []byte) (*TweakContext, error) {
	q, ok := vartime.Decode(thresholdKey)
	if !ok {
		return nil, BadThresholdKey
	}
	return untweaked(q), nil
}

func untweaked(q vartime.Point) *TweakContext {
	return &TweakContext{q: q, gacc: secp.NewScalar().One(), tacc: secp.NewScalar()}
}

// Apply adds tweak·G, 32 bytes below the group order, to the key, or if xonly
// is set, to the one of key and -key that has an even y. BIP 445, ApplyTweak.
// A tweak is public: this is variable time.
func (c *TweakContext) Apply(tweak []byte, xonly bool) (*TweakContext, error) {
	out, errs := ApplyEach([]*TweakContext{c}, [][]byte{tweak}, xonly)
	return out[0], errs[0]
}

// ApplyEach applies to each of several keys a tweak of its own. Where that fails
// there is an error instead; nil contexts are skipped.
func ApplyEach(keys []*TweakContext, tweaks [][]byte, xonly bool) ([]*TweakContext, []error) {
	out, errs := make([]*TweakContext, len(keys)), make([]error, len(keys))
	sums := make([]vartime.Jacobian, len(keys))
	for i, c := range keys {
		if c != nil {
			out[i], sums[i], errs[i] = c.apply(tweaks[i], xonly)
		}
	}
	finish(out, sums, errs)
	return out, errs
}

// ApplyPlain applies to each of several keys all plain tweaks of its own, as many
// calls of [TweakContext.Apply] would, at the price of one. It does not see the keys
// in between, so it lets one of them be the point at infinity; BIP 32, which such
// tweaks come from, has refused that. Nil contexts are skipped.
func ApplyPlain(keys []*TweakContext, tweaks [][][32]byte) ([]*TweakContext, []error) {
	out, errs := make([]*TweakContext, len(keys)), make([]error, len(keys))
	sums := make([]vartime.Jacobian, len(keys))
	for i, c := range keys {
		if c == nil {
			continue
		}
		total := secp.NewScalar()
		for j := range tweaks[i] {
			t, err := secp.NewScalarFromCanonicalBytes(&tweaks[i][j])
			if err != nil {
				errs[i] = BadTweak
				break
			}
			total.Add(total, t)
		}
		if errs[i] == nil {
			out[i], sums[i] = c.add(total, false)
		}
	}
	finish(out, sums, errs)
	return out, errs
}

// finish gives tweaked contexts their keys, with one inversion for them all.
func finish(out []*TweakContext, sums []vartime.Jacobian, errs []error) {
	for i, q := range vartime.Affine(sums...) {
		switch {
		case out[i] == nil:
		case q.IsIdentity():
			out[i], errs[i] = nil, TweakToInfinity
		default:
			out[i].q = q
		}
	}
}

// apply is Apply without the inversion: the key comes apart from its context.
func (c *TweakContext) apply(tweak []byte, xonly bool) (*TweakContext, vartime.Jacobian, error) {
	if len(tweak) != 32 {
		return nil, vartime.Jacobian{}, BadTweakLength
	}
	t, err := secp.NewScalarFromCanonicalBytes((*[32]byte)(tweak))
	if err != nil {
		return nil, vartime.Jacobian{}, BadTweak
	}
	tweaked, sum := c.add(t, xonly)
	return tweaked, sum, nil
}

// add is apply for a scalar.
func (c *TweakContext) add(t *Scalar, xonly bool) (*TweakContext, vartime.Jacobian) {
	negate := xonly && c.q.YIsOdd()
	q := c.q.NegateIf(negate)
	sum := vartime.BaseMult(t)
	sum.AddPoint(&q)
	tacc := secp.NewScalar().ConditionalNegate(c.tacc, bit(negate))
	return &TweakContext{
		gacc: secp.NewScalar().ConditionalNegate(c.gacc, bit(negate)),
		tacc: tacc.Add(tacc, t),
	}, sum
}

// bit is how voi takes a condition.
func bit(condition bool) uint64 {
	if condition {
		return 1
	}
	return 0
}

// XOnly returns the key as BIP 340 encodes it. BIP 445, GetXonlyPubkey.
func (c *TweakContext) XOnly() [32]byte { return c.q.X() }

// Plain returns the key compressed. BIP 445, GetPlainPubkey.
func (c *TweakContext) Plain() [PointSize]byte {
	return [PointSize]byte(c.q.AppendCompressed(nil))
}

// Key returns the key as a point.
func (c *TweakContext) Key() vartime.Point { return c.q }

// sign is 1 or -1: what a secret share is multiplied by so that it belongs to
// the key with an even y. The specification's g·gacc.
func (c *TweakContext) sign() *Scalar {
	return secp.NewScalar().ConditionalNegate(c.gacc, bit(c.q.YIsOdd()))
}

// addend is what the tweaks add to the sum of partial signatures, divided by
// the challenge. The specification's g·tacc.
func (c *TweakContext) addend() *Scalar {
	return secp.NewScalar().ConditionalNegate(c.tacc, bit(c.q.YIsOdd()))
}
