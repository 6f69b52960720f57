package bitcoin

import (
	"bytes"

	"github.com/btcsuite/btcd/txscript"
	secp "gitlab.com/yawning/secp256k1-voi"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// outputKeys returns the x-only key of the taproot output that each internal key makes
// under its tweak, nil where there is none. BIP 341, taproot_tweak_pubkey: Q = P + t·G for
// the P of even y. It is frost.OutputKey for many at once, at a third of the cost.
func outputKeys(internal [][]byte, tweaks []frost.Tweak) [][]byte {
	points, scalars := make([]vartime.Point, len(internal)), make([]*secp.Scalar, len(internal))
	proper := make([]bool, len(internal))
	for i, key := range internal {
		x := [32]byte(key)
		var root []byte
		if tweaks[i].Mode == frost.TweakScriptRoot {
			root = tweaks[i].Root[:]
		}
		t := frost.TapTweak(&x, root)
		var err error
		if scalars[i], err = secp.NewScalarFromCanonicalBytes(&t); err != nil {
			scalars[i] = secp.NewScalar()
			continue
		}
		points[i], proper[i] = vartime.LiftX(&x, false)
	}
	vartime.AddBaseMults(points, scalars)
	out := make([][]byte, len(internal))
	for i := range points {
		if proper[i] && !points[i].IsIdentity() {
			x := points[i].X()
			out[i] = x[:]
		}
	}
	return out
}

// paysTo reports whether a script is a taproot output of a key.
func paysTo(script, key []byte) bool {
	return key != nil && txscript.IsPayToTaproot(script) && bytes.Equal(script[2:], key)
}
