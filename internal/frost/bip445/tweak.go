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
	scalars, errs := make([]*Scalar, len(keys)), make([]error, len(keys))
	for i, c := range keys {
		if c != nil {
			scalars[i], errs[i] = parseTweak(tweaks[i])
		}
	}
	return addEach(keys, scalars, xonly, errs), errs
}

// ApplyPlain applies to each of several keys all plain tweaks of its own, as many
// calls of [TweakContext.Apply] would, at the price of one. It does not see the keys
// in between, so it lets one of them be the point at infinity; BIP 32, which such
// tweaks come from, has refused that. Nil contexts are skipped.
func ApplyPlain(keys []*TweakContext, tweaks [][][32]byte) ([]*TweakContext, []error) {
	scalars, errs := make([]*Scalar, len(keys)), make([]error, len(keys))
	for i, c := range keys {
		if c != nil {
			scalars[i], errs[i] = sumTweaks(tweaks[i])
		}
	}
	return addEach(keys, scalars, false, errs), errs
}

func parseTweak(tweak []byte) (*Scalar, error) {
	if len(tweak) != 32 {
		return nil, BadTweakLength
	}
	t, err := secp.NewScalarFromCanonicalBytes((*[32]byte)(tweak))
	if err != nil {
		return nil, BadTweak
	}
	return t, nil
}

func sumTweaks(tweaks [][32]byte) (*Scalar, error) {
	sum := secp.NewScalar()
	var t Scalar
	for i := range tweaks {
		if _, err := t.SetCanonicalBytes(&tweaks[i]); err != nil {
			return nil, BadTweak
		}
		sum.Add(sum, &t)
	}
	return sum, nil
}

// addEach adds to each key its scalar times G, where it has one.
func addEach(keys []*TweakContext, scalars []*Scalar, xonly bool, errs []error) []*TweakContext {
	out, points := make([]*TweakContext, len(keys)), make([]vartime.Point, len(keys))
	for i, t := range scalars {
		if t == nil {
			scalars[i] = secp.NewScalar() // of no interest, as the point
			continue
		}
		c := keys[i]
		negate := xonly && c.q.YIsOdd()
		points[i] = c.q.NegateIf(negate)
		gacc, tacc := c.gacc, secp.NewScalar().Set(c.tacc)
		if negate {
			gacc = secp.NewScalar().Negate(gacc)
			tacc.Negate(tacc)
		}
		out[i] = &TweakContext{gacc: gacc, tacc: tacc.Add(tacc, t)}
	}
	vartime.AddBaseMults(points, scalars)
	for i, q := range points {
		switch {
		case out[i] == nil:
		case q.IsIdentity():
			out[i], errs[i] = nil, TweakToInfinity
		default:
			out[i].q = q
		}
	}
	return out
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
