package consttime

import (
	"sync"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// A digit has digitBits bits, of which one is its sign; the last has four. A bit more would
// be an addition in seven less, and twice as much of the table to read for each.
const (
	digitBits = 6
	lastDigit = 256 / digitBits
	entries   = 1 << (digitBits - 1)
	lastEntry = 1 << (256 - digitBits*lastDigit - 1)
)

// entry is an affine point, its coordinates reduced.
type entry struct{ x, y field.Element }

// baseTable has at [i][j] the point (2j+1)·2^(6i)·G. It takes 85 KiB and a millisecond, so
// it is made when first needed.
var baseTable = sync.OnceValue(func() [][]entry {
	bases := make([]vartime.Jacobian, lastDigit+1)
	power := secp.NewScalarFromUint64(1)
	for i := range bases {
		bases[i] = vartime.BaseMult(power)
		for range digitBits {
			power.Add(power, power)
		}
	}
	column := vartime.Affine(bases...)
	double := append([]vartime.Point(nil), column...)
	vartime.AddAll(double, double)
	t := make([][]entry, len(column))
	for i := range t {
		t[i] = make([]entry, entries)
	}
	for j := range entries {
		for i := range t {
			t[i][j].x, t[i][j].y = column[i].Coordinates()
		}
		vartime.AddAll(column, double)
	}
	t[lastDigit] = t[lastDigit][:lastEntry:lastEntry]
	return t
})
