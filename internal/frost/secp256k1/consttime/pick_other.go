//go:build !amd64 || purego

package consttime

import "github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"

// pick is pickEach.
func (p *eight) pick(row *wideRow, digits *[field.LaneCount]uint8) { p.pickEach(row, digits) }
