package derive

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// OutputPoints returns the output keys (BIP 341, taproot_tweak_pubkey) of descendants of
// roots of secp256k1, each under its tweak, or an error in that place. A key that is its
// root needs no chain code. Many at once cost a third each. It panics if the lengths differ.
func (c *Cache) OutputPoints(of []Descendant, tweaks []frost.Tweak) ([]vartime.Point, []error) {
	if len(of) != len(tweaks) {
		panic("derive: as many tweaks as keys are needed")
	}
	d := c.descend(of)
	points, at := d.secp()
	for i := range of {
		if len(of[i].Path) > 0 {
			continue
		}
		p, err := secpPoint(of[i].Root.PublicKey)
		if err != nil {
			d.errs[i] = err
			continue
		}
		points, at = append(points, p), append(at, i)
	}
	out := make([]vartime.Point, len(of))
	outputs, errs := outputPoints(points, func(j int) frost.Tweak { return tweaks[at[j]] })
	for j, i := range at {
		out[i], d.errs[i] = outputs[j], errs[j]
	}
	for i := range of { // of another suite
		if d.errs[i] == nil && out[i].IsIdentity() {
			d.errs[i] = fmt.Errorf("taproot output: %w", ErrKey)
		}
	}
	return out, d.errs
}

// PlainOutputKeys returns the x-only output keys without scripts (BIP 86) of compressed
// keys, or an error in that place.
func PlainOutputKeys(publicKeys [][]byte) ([][32]byte, []error) {
	points, keys := make([]vartime.Point, len(publicKeys)), make([][32]byte, len(publicKeys))
	unread := make([]error, len(publicKeys))
	for i, public := range publicKeys {
		points[i], unread[i] = secpPoint(public)
	}
	outputs, errs := outputPoints(points, func(int) frost.Tweak { return frost.Tweak{Mode: frost.TweakBIP86} })
	for i := range outputs {
		if unread[i] != nil {
			errs[i] = unread[i]
		}
		if errs[i] == nil {
			keys[i] = outputs[i].X()
		}
	}
	return keys, errs
}

// outputPoints returns the output keys of internal keys; the identity is none.
func outputPoints(internal []vartime.Point, tweak func(j int) frost.Tweak) ([]vartime.Point, []error) {
	s, made := newSecpSums(len(internal)), make([]int, 0, len(internal))
	for j := range internal {
		if p := &internal[j]; !p.IsIdentity() && s.tapTweak(p, tweak(j)) {
			made = append(made, j)
		}
	}
	out, errs := make([]vartime.Point, len(internal)), make([]error, len(internal))
	for j, p := range s.sum() {
		out[made[j]] = p
	}
	for j := range out {
		if out[j].IsIdentity() {
			errs[j] = fmt.Errorf("taproot output: %w", ErrInvalidChild)
		}
	}
	return out, errs
}
