package consttime

import (
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// lane is the point in a lane, which must be of tight coordinates.
func (p *eight) lane(t *testing.T, i int) vartime.Point {
	t.Helper()
	for _, l := range []*field.Lanes{&p.x, &p.y} {
		for limb := range l {
			if limit := [5]uint64{1 << 52, 1 << 52, 1 << 52, 1 << 52, 1<<48 + 64}[limb]; l[limb][i] >= limit {
				t.Fatalf("limb %d is %x", limb, l[limb][i])
			}
		}
	}
	var x, y field.Element
	p.x.Get(i, &x)
	p.y.Get(i, &y)
	return vartime.PointOf(&x, &y)
}

// Every entry of the table, by each value of a digit in each lane, both ways to read it.
func TestWideTable(t *testing.T) {
	t.Parallel()
	table, base := wideTable(), secp.NewGeneratorPoint()
	for pos := range table {
		want := make([]vartime.Point, 256) // by the digit, -255 to 255
		p, double := secp.NewPointFrom(base), secp.NewIdentityPoint().Double(base)
		for j := range wideEntries {
			want[128+j] = vartime.FromPoint(p)
			want[127-j] = want[128+j].Negate()
			p.Add(p, double)
		}
		for range wideBits {
			base.Double(base)
		}
		for u := range want {
			var digits [field.LaneCount]uint8
			for i := range digits {
				digits[i] = uint8(u + 37*i)
			}
			var got, each eight
			got.pick(&table[pos], &digits)
			each.pickEach(&table[pos], &digits)
			if got != each {
				t.Fatalf("%v of row %d are read in two ways", digits, pos)
			}
			for i, digit := range digits {
				if got.lane(t, i) != want[digit] {
					t.Fatalf("digit %d of row %d is wrong", digit, pos)
				}
			}
		}
	}
}
