//go:build amd64 && !purego

package consttime

import (
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
)

// pick is pickEach, by permutations of registers where the processor has those.
func (p *eight) pick(row *wideRow, digits *[field.LaneCount]uint8) {
	if field.FastLanes() {
		pickIFMA(p, row, digits)
		return
	}
	p.pickEach(row, digits)
}

// pickIFMA is pickEach.
//
//go:noescape
func pickIFMA(p *eight, row *wideRow, digits *[field.LaneCount]uint8)
