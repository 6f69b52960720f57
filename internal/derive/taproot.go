package derive

import (
	"fmt"

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

// tapTweakAll replaces internal keys by output keys without scripts.
func tapTweakAll(points []vartime.Point, first uint32) error {
	s := newSecpSums(len(points))
	for j := range points {
		if !s.tapTweak(&points[j], frost.Tweak{Mode: frost.TweakBIP86}) {
			return fmt.Errorf("index %d: %w", first+uint32(j), ErrInvalidChild)
		}
	}
	copy(points, s.sum())
	return proper(points, first)
}

// tapTweak takes an internal key, which becomes an output key, and reports whether there
// is one. BIP 341, taproot_tweak_pubkey: with P the internal key or its negative, whose y is
// even, Q = P + t·G.
func (s *secpSums) tapTweak(internal *vartime.Point, tweak frost.Tweak) bool {
	x := internal.X()
	var root []byte
	if tweak.Mode == frost.TweakScriptRoot {
		root = tweak.Root[:]
	}
	t := frost.TapTweak(&x, root)
	if !isScalar(t[:]) {
		return false
	}
	even := internal.NegateIf(internal.YIsOdd())
	s.add(&even, &t)
	return true
}
