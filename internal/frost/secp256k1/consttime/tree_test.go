package consttime

import (
	"math/big"
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

// begin recodes scalars and picks their points, in a group of lanes for each eight.
func (s *scratch) begin(scalars []*Scalar) {
	for i := range scalars {
		s.recode(i, scalars[i])
	}
	s.pickAll(wideTable(), len(scalars)/field.LaneCount)
}

// Of all scalars only 0 misses an addition, the last.
func TestMissedInLanes(t *testing.T) {
	t.Parallel()
	all := append(edges(), randomScalars(newRand(9), 50)...)
	for at := range all {
		s := new(scratch)
		scalars := randomScalars(newRand(10), field.LaneCount)
		scalars[at%field.LaneCount] = all[at]
		if at%8 == 1 { // the same in all lanes
			for i := range scalars {
				scalars[i] = all[at]
			}
		}
		s.begin(scalars)
		for n := wideDigits; n > 1; n /= 2 {
			if s.missed != 0 {
				t.Fatalf("%x misses an addition before the last", all[at].Bytes())
			}
			s.add(s.sums[:n])
		}
		if missed := s.missed != 0; missed != (numberOf(all[at]).Sign() == 0) {
			t.Errorf("%x: missed %x", all[at].Bytes(), s.missed)
		}
	}
}

// With a table of the same row for all digits, sums meet what is equal or opposite in each of the
// additions, which is noticed, and nothing is made of it.
func TestMissedOnTheWay(t *testing.T) {
	t.Parallel()
	table := new([wideDigits]wideRow)
	for i := range table {
		table[i] = wideTable()[0]
	}
	for level := range 5 {
		for _, opposite := range []bool{false, true} {
			s := new(scratch)
			for pos := range wideDigits {
				// Digits increase, and so do their sums, until blocks of them meet the like.
				at := pos % (1 << level)
				u := 128 + at
				if pos>>level&1 == 1 && opposite {
					u = 127 - at
				}
				for i := range field.LaneCount {
					s.digits[0][pos][i] = uint8(140 + pos)
				}
				s.digits[0][pos][level] = uint8(u)
			}
			s.pickAll(table, 1)
			for done := range 5 {
				if s.missed != 0 {
					t.Fatalf("missed before addition %d, want %d", done, level)
				}
				if s.add(s.sums[:wideDigits>>done]); done == level {
					break
				}
			}
			if s.missed != 1<<64-1 {
				t.Errorf("opposite %v: addition %d is not missed, but %x", opposite, level, s.missed)
			}
		}
	}
}

// The digits of lanes are those of the number, and the sums those of the digits.
func TestDigitsInLanes(t *testing.T) {
	t.Parallel()
	scalars := edges()
	s := new(scratch)
	for i, scalar := range scalars {
		at := i % (groups * field.LaneCount)
		s.recode(at, scalar)
		sum := new(big.Int)
		for pos := wideDigits - 1; pos >= 0; pos-- {
			digit := int64(s.digits[at/field.LaneCount][pos][at%field.LaneCount])
			sum.Lsh(sum, wideBits).Add(sum, big.NewInt(2*digit-255))
		}
		want := numberOf(scalar)
		if s.negated[at] != 0 {
			want.Sub(bigOrder, want)
		}
		if sum.Cmp(want) != 0 || want.Bit(0) == 0 {
			t.Fatalf("the digits of %x add up to %x", scalar.Bytes(), sum)
		}
	}
}

// Nothing of the scalars is left, whatever scratch space was used for before.
func TestScratchIsWiped(t *testing.T) {
	t.Parallel()
	s := new(scratch)
	for _, n := range []int{1, 128, 9, 16, 24} {
		scalars := append(randomScalars(newRand(11), n-1), secp.NewScalar())
		if n == 24 { // a missed one leaves zeros in what is not wiped
			scalars = randomScalars(newRand(11), n)
		}
		points := make([]vartime.Point, n)
		multiplyGroups(s, scalars, points)
		if *s != (scratch{}) {
			t.Fatalf("something is left of %d scalars", n)
		}
		for i := range scalars {
			if points[i] != oracle(scalars[i]) {
				t.Fatalf("%d is wrong", i)
			}
		}
	}
}
