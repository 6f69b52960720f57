package consttime

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// Everything is compared with secp256k1-voi.

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func randomScalar(r *rand.Rand) *Scalar {
	var b [32]byte
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	s, _ := secp.NewScalarFromBytes(&b)
	return s
}

func randomScalars(r *rand.Rand, n int) []*Scalar {
	scalars := make([]*Scalar, n)
	for i := range scalars {
		scalars[i] = randomScalar(r)
	}
	return scalars
}

var bigOrder, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)

// scalarOf is n modulo the order.
func scalarOf(n *big.Int) *Scalar {
	b := new(big.Int).Mod(n, bigOrder).FillBytes(make([]byte, 32))
	s, _ := secp.NewScalarFromBytes((*[32]byte)(b))
	return s
}

func numberOf(s *Scalar) *big.Int { return new(big.Int).SetBytes(s.Bytes()) }

func oracle(s *Scalar) vartime.Point {
	return vartime.FromPoint(secp.NewIdentityPoint().ScalarBaseMult(s))
}

func oracles(scalars []*Scalar) []vartime.Point {
	points := make([]vartime.Point, len(scalars))
	for i := range scalars {
		points[i] = oracle(scalars[i])
	}
	return points
}

func check(t *testing.T, scalars []*Scalar) {
	t.Helper()
	compare(t, scalars, oracles(scalars))
}

func compare(t *testing.T, scalars []*Scalar, want []vartime.Point) {
	t.Helper()
	if got := BaseMults(scalars); !slices.Equal(got, want) {
		t.Fatalf("%d multiples are wrong", len(scalars))
	}
	// The ways that are not taken on this machine, or not for so many scalars, are right as well.
	for way, multiply := range map[string]func([]*Scalar, []vartime.Point){
		"batched": func(scalars []*Scalar, points []vartime.Point) {
			baseMults(make([]lane, blockSize(len(scalars), block)), scalars, points)
		},
		"in lanes": multiplyInLanes,
	} {
		got := make([]vartime.Point, len(scalars))
		multiply(scalars, got)
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s, %d of %d: the multiple of %x is wrong", way, i, len(scalars), scalars[i].Bytes())
			}
		}
	}
}

// twice is the odd scalar whose last addition is a doubling: 14·2^252 + 2^256 - n. Its last
// digit is 15, and the rest of it is 15·2^252 less the order.
var twice = func() *big.Int {
	n := new(big.Int).Lsh(big.NewInt(14), 252)
	return n.Add(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), bigOrder))
}()

// rare are the scalars that end as missed lanes.
func rare() []*Scalar {
	return []*Scalar{secp.NewScalar(), scalarOf(twice), scalarOf(new(big.Int).Neg(twice))}
}

// edges are scalars around which digits turn.
func edges() []*Scalar {
	scalars := rare()
	for d := int64(-4); d <= 4; d++ {
		half := new(big.Int).Rsh(bigOrder, 1)
		for _, n := range []*big.Int{bigOrder, half, twice, new(big.Int).Lsh(big.NewInt(1), 256)} {
			scalars = append(scalars, scalarOf(new(big.Int).Add(n, big.NewInt(d))))
		}
	}
	for bit := range uint(256) {
		n := new(big.Int).Lsh(big.NewInt(1), bit)
		scalars = append(scalars, scalarOf(n), scalarOf(new(big.Int).Sub(n, big.NewInt(1))),
			scalarOf(new(big.Int).Add(n, big.NewInt(1))), scalarOf(new(big.Int).Neg(n)))
	}
	return scalars
}

func TestTable(t *testing.T) {
	t.Parallel()
	table, base := baseTable(), secp.NewGeneratorPoint()
	if len(table) != 43 || len(table[42]) != 8 {
		t.Fatalf("%d rows, the last of %d entries", len(table), len(table[len(table)-1]))
	}
	for i := range table {
		p, double := secp.NewPointFrom(base), secp.NewIdentityPoint().Double(base)
		if i < 42 && len(table[i]) != 32 {
			t.Fatalf("%d entries in row %d", len(table[i]), i)
		}
		for j := range table[i] {
			if vartime.PointOf(&table[i][j].x, &table[i][j].y) != vartime.FromPoint(p) {
				t.Fatalf("entry %d of row %d is wrong", j, i)
			}
			p.Add(p, double)
		}
		for range digitBits {
			base.Double(base)
		}
	}
}

// Both ways to read the table read the same.
func TestEntries(t *testing.T) {
	t.Parallel()
	for _, row := range baseTable() {
		for index := range uint64(2 * entries) {
			var want, got, each entry
			if index < uint64(len(row)) {
				want = row[index]
			}
			got.set(row, index)
			each.setEach(row, index)
			if got != want || each != want {
				t.Fatalf("entry %d of %d is read wrong", index, len(row))
			}
		}
	}
}

func TestEdges(t *testing.T) {
	t.Parallel()
	scalars := edges()
	check(t, scalars)
	r := newRand(2)
	for _, s := range scalars[:40] { // each among others, and many of it
		others := randomScalars(r, 8)
		others[r.IntN(len(others))] = s
		check(t, append(others, s, s))
		check(t, []*Scalar{s})
	}
}

// Every value of every digit.
func TestDigits(t *testing.T) {
	t.Parallel()
	r := newRand(3)
	var scalars []*Scalar
	for pos := range lastDigit + 1 {
		for u := range uint64(1 << digitBits) {
			if pos == lastDigit && u/8 != 4 {
				continue // its highest bit is set and the next two are not
			}
			n := new(big.Int).Sub(numberOf(randomScalar(r)), big.NewInt(1))
			n.Rsh(n, 1).SetBit(n, 257, 1)
			for bit := range digitBits {
				n.SetBit(n, digitBits*pos+bit, uint(u>>bit&1))
			}
			n.SetBit(n, 257, 0).Lsh(n, 1).Add(n, big.NewInt(1))
			if n.Cmp(bigOrder) >= 0 { // is another number then
				n.SetBit(n, 200, 0).SetBit(n, 201, 0).SetBit(n, 202, 0)
			}
			s := scalarOf(n)
			scalars = append(scalars, s, secp.NewScalar().Negate(s))
			if n.Cmp(bigOrder) < 0 {
				checkDigits(t, s, pos, u)
			}
		}
	}
	check(t, scalars)
}

// checkDigits checks the digits of an odd scalar, one of which is given.
func checkDigits(t *testing.T, s *Scalar, at int, u uint64) {
	t.Helper()
	var l lane
	l.recode(s)
	if l.negated != 0 {
		t.Fatalf("%x is odd, and was negated", s.Bytes())
	}
	bits, sum := new(big.Int), new(big.Int)
	for i := len(l.digits) - 1; i >= 0; i-- {
		bits.Lsh(bits, 64).Or(bits, new(big.Int).SetUint64(l.digits[i]))
	}
	for pos := lastDigit; pos >= 0; pos-- {
		digit := new(big.Int).Rsh(bits, uint(digitBits*pos)).Uint64() & (1<<digitBits - 1)
		if pos == at && digit != u {
			t.Fatalf("digit %d of %x is %d, want %d", pos, s.Bytes(), digit, u)
		}
		sum.Lsh(sum, digitBits).Add(sum, big.NewInt(int64(2*digit)-63))
	}
	if sum.Cmp(numberOf(s)) != 0 {
		t.Fatalf("the digits of %x add up to %x", s.Bytes(), sum)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	scalars := randomScalars(newRand(4), 600)
	want := oracles(scalars)
	for n := 0; n <= len(scalars); n++ {
		if n > 40 && n < 500 && n%16 > 1 && n != 255 {
			continue
		}
		compare(t, scalars[:n], want[:n])
	}
	compare(t, scalars, want)
	for i := range scalars {
		if oracle(scalars[i]) != want[i] {
			t.Fatalf("scalar %d was changed", i)
		}
	}
}

// Three scalars miss the last addition, and no other scalar misses any.
func TestMissed(t *testing.T) {
	t.Parallel()
	r := newRand(5)
	scalars := append(edges(), randomScalars(r, 50)...)
	lanes := make([]lane, len(scalars))
	for i := range lanes {
		lanes[i].recode(scalars[i])
	}
	sum(lanes, baseTable())
	for i := range lanes {
		n := numberOf(scalars[i])
		opposite := new(big.Int).Sub(bigOrder, n)
		if want := n.Sign() == 0 || n.Cmp(twice) == 0 || opposite.Cmp(twice) == 0; (lanes[i].missed != 0) != want {
			t.Errorf("%x: missed %x", scalars[i].Bytes(), lanes[i].missed)
		}
	}
	lanes = make([]lane, len(scalars))
	for i := range lanes {
		lanes[i].recode(scalars[i])
	}
	sum(lanes, baseTable()[:lastDigit])
	for i := range lanes {
		if lanes[i].missed != 0 {
			t.Errorf("%x misses an addition before the last", scalars[i].Bytes())
		}
	}
}

// With a table of twice the same row, sums meet points with the same x at once; that takes no
// other lane along.
func TestMissedBesideOthers(t *testing.T) {
	t.Parallel()
	r := newRand(6)
	table := [][]entry{baseTable()[0], baseTable()[0]}
	for range 40 {
		lanes := make([]lane, 12)
		for i := range lanes {
			first := r.Uint64N(64)
			second := [...]uint64{first, 63 - first, (first + 2) & 63}[i%3] // equal, opposite, neither
			lanes[i].digits[0] = first | second<<6
		}
		sum(lanes, table)
		for i := range lanes {
			if missed := lanes[i].missed == 1<<64-1; missed != (i%3 < 2) {
				t.Fatalf("lane %d: missed %x", i, lanes[i].missed)
			}
			if i%3 < 2 {
				continue
			}
			first, second := int64(lanes[i].digits[0]&63), int64(lanes[i].digits[0]>>6)
			lanes[i].finish()
			if vartime.PointOf(&lanes[i].x, &lanes[i].y) != oracle(scalarOf(big.NewInt(2*first+2*second-126))) {
				t.Fatalf("lane %d is wrong beside missed ones", i)
			}
		}
	}
}

func TestLanesAreWiped(t *testing.T) {
	t.Parallel()
	scalars := append(randomScalars(newRand(7), 20), rare()...)
	lanes, points := make([]lane, 16), make([]vartime.Point, len(scalars))
	baseMults(lanes, scalars, points)
	for i := range lanes {
		if lanes[i] != (lane{}) {
			t.Fatalf("lane %d holds something", i)
		}
	}
	for i := range scalars {
		if points[i] != oracle(scalars[i]) {
			t.Fatalf("%d is wrong", i)
		}
	}
}

func TestAllocations(t *testing.T) {
	wideTable()
	for _, n := range []int{fewInLanes, few, block, 3*block + 1} {
		scalars := randomScalars(newRand(8), n)
		if got := testing.AllocsPerRun(3, func() { BaseMults(scalars) }); got > 2 {
			t.Errorf("%v allocations for %d scalars, want the scratch space and the points", got, n)
		}
	}
}

func FuzzBaseMults(f *testing.F) {
	for _, s := range edges()[:12] {
		f.Add(s.Bytes(), uint8(9))
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		var scalars []*Scalar
		for i := range int(n)%40 + few {
			var at [32]byte
			for j := range at {
				if len(b) > 0 {
					at[j] = b[(32*i+j)%len(b)]
				}
			}
			at[31-i%32] ^= byte(i)
			s, _ := secp.NewScalarFromBytes(&at)
			scalars = append(scalars, s)
		}
		check(t, scalars)
	})
}
