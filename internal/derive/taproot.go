package derive

import (
	"fmt"

	secp "gitlab.com/yawning/secp256k1-voi"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// OutputKeys returns, for count consecutive children from index first on, the x-only
// key of the taproot output that pays to it without scripts: BIP 86. What
// [Branch.PublicKeys] says of cost and errors is true here.
func (b *Branch) OutputKeys(first uint32, count int) ([][32]byte, error) {
	n, ok := b.node.(*secpNode)
	if !ok {
		return nil, fmt.Errorf("taproot output: %w", ErrKey)
	}
	if err := b.reach(first, count); err != nil {
		return nil, err
	}
	points, err := n.points(first, count)
	if err != nil {
		return nil, err
	}
	if err := tapTweakAll(points, first); err != nil {
		return nil, err
	}
	keys := make([][32]byte, count)
	for j := range points {
		keys[j] = points[j].X()
	}
	return keys, nil
}

// tapTweakAll replaces internal keys by output keys. BIP 341, taproot_tweak_pubkey:
// with P the internal key or its negative, whose y is even, Q = P + t·G.
func tapTweakAll(points []vartime.Point, first uint32) error {
	tweaks := make([]*secp.Scalar, len(points))
	for j := range points {
		x := points[j].X()
		t := frost.TapTweak(&x, nil)
		var err error
		if tweaks[j], err = secp.NewScalarFromCanonicalBytes(&t); err != nil {
			return fmt.Errorf("index %d: %w", first+uint32(j), ErrInvalidChild)
		}
		points[j] = points[j].NegateIf(points[j].YIsOdd())
	}
	vartime.AddBaseMults(points, tweaks)
	return proper(points, first)
}
