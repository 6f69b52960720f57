package consttime

import (
	"sync"
	"sync/atomic"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// In lanes a digit has wideBits bits, one of which is its sign: a row of the table is read for
// eight scalars at a time, so it may be larger, and the number of digits is a power of two.
const (
	wideBits    = 8
	wideDigits  = 256 / wideBits
	wideEntries = 1 << (wideBits - 1)
)

// wideRow has the points of a digit, with each limb of a coordinate beside that of the others: it is
// at x[limb][entry].
type wideRow struct{ x, y [5][wideEntries]uint64 }

// wideTable has at entry j of row i the point (2j+1)·2^(8i)·G. It takes 320 KiB and a few
// milliseconds, so it is made when first needed.
var wideTable = sync.OnceValue(func() *[wideDigits]wideRow {
	bases := make([]vartime.Jacobian, wideDigits)
	power := secp.NewScalarFromUint64(1)
	for i := range bases {
		bases[i] = vartime.BaseMult(power)
		for range wideBits {
			power.Add(power, power)
		}
	}
	column := vartime.Affine(bases...)
	double := append([]vartime.Point(nil), column...)
	vartime.AddAll(double, double)
	t := new([wideDigits]wideRow)
	for j := range wideEntries {
		for i := range t {
			x, y := column[i].Coordinates()
			t[i].set(j, &x, &y)
		}
		vartime.AddAll(column, double)
	}
	madeWide.Store(true)
	return t
})

// madeWide is whether there is a wideTable, and startedWide whether somebody has it made.
var madeWide, startedWide atomic.Bool

// hasWideTable reports whether there is a wideTable, and has it made if not.
func hasWideTable() bool {
	if !madeWide.Load() && startedWide.CompareAndSwap(false, true) {
		go wideTable() // nobody waits for it
	}
	return madeWide.Load()
}

func (r *wideRow) set(j int, x, y *field.Element) {
	var l [2]field.Lanes
	l[0].Set(0, x)
	l[1].Set(0, y)
	for i := range r.x {
		r.x[i][j], r.y[i][j] = l[0][i][0], l[1][i][0]
	}
}
