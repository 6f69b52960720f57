//go:build amd64 && !purego

package edwards25519

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

func needLanes(t testing.TB) {
	t.Helper()
	if !hasLanes {
		t.Skip("needs AVX-512 IFMA")
	}
}

// Multiples in lanes are those of curve25519-voi and of filippo.io/edwards25519, in every lane and
// whatever the others multiply by.
func TestBaseLanes(t *testing.T) {
	t.Parallel()
	needLanes(t)
	scalars := edges(t)
	for i := range 9 {
		scalars = append(scalars, orderLess(uint64(8*i)), orderLess(0))
	}
	for _, s := range [][]*Scalar{
		scalars, scalars[:1], scalars[:2], scalars[1:9], scalars[3:12], same(orderLess(0), 8), same(orderLess(5), 16),
		append(same(orderLess(0), 7), orderLess(1)), append(same(orderLess(2), 3), orderLess(0), orderLess(3)),
	} {
		together, each := make(secrets, len(s)), make(secrets, len(s))
		for i := range s {
			together[i].scalar.Set(s[i])
			each[i].scalar.Set(s[i])
		}
		newBaseLanes(len(s)).multiply(together)
		each.multiplyEach()
		for i := range s {
			b := EncodeScalar(s[i])
			filippos, err := edwards25519.NewScalar().SetCanonicalBytes(b[:])
			if err != nil {
				t.Fatal(err)
			}
			want := [32]byte(new(edwards25519.Point).ScalarBaseMult(filippos).Bytes())
			if got := together[i].affine.Encode(); got != want || each[i].affine.Encode() != want {
				t.Fatalf("%x: multiple %d of %d is %x, and %x alone, want %x", b, i, len(s), got,
					each[i].affine.Encode(), want)
			}
			if !together[i].affine.isOnCurve() {
				t.Fatalf("%x: multiple %d of %d is off the curve", b, i, len(s))
			}
		}
	}
}

func same(s *Scalar, n int) (all []*Scalar) {
	for range n {
		all = append(all, s)
	}
	return all
}

// The digits of a scalar are odd, and what they add up to is the scalar, or it and the order.
func TestBaseDigits(t *testing.T) {
	t.Parallel()
	var l baseLanes
	for i, s := range edges(t) {
		b := EncodeScalar(s)
		l.setScalar(i%8, &b)
		sum := new(big.Int)
		for pos := baseDigits - 1; pos >= 0; pos-- {
			sum.Add(sum.Lsh(sum, 6), big.NewInt(2*l.digit(pos, i%8)-63))
		}
		if sum.Sub(sum, little(b[:])); sum.Sign() != 0 && sum.Cmp(orderOfGroup) != 0 || b[0]&1 == 1 && sum.Sign() != 0 {
			t.Fatalf("%x: what its digits add up to is more, by %v", b, sum)
		}
	}
}

func (l *baseLanes) digit(pos, lane int) int64 {
	word, at := 6*pos/64, 6*pos%64
	d := l.scalars[word][lane] >> at
	if word < 4 {
		d |= l.scalars[word+1][lane] << (64 - at)
	}
	return int64(d & 63)
}

var orderOfGroup, _ = new(big.Int).SetString(
	"7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

func little(b []byte) *big.Int {
	n := new(big.Int)
	for i := len(b) - 1; i >= 0; i-- {
		n.Or(n.Lsh(n, 8), big.NewInt(int64(b[i])))
	}
	return n
}

// What a sum was before, Zs and their products say more of a nonce than the point does.
func TestBaseLanesWipes(t *testing.T) {
	t.Parallel()
	needLanes(t)
	s := make(secrets, 9)
	for i := range s {
		s[i].scalar = anyScalar(t)
	}
	l := newBaseLanes(len(s))
	l.multiply(s)
	groups := l.groups
	if l.sum.scratch[7] == (lanes{}) || l.sum.x == (lanes{}) || l.scalars == [5][8]uint64{} || l.powers[2] == (lanes{}) ||
		groups[1].before == (lanes{}) || groups[0].z == (lanes{}) || l.product == (lanes{}) {
		t.Error("there was nothing to wipe")
	}
	l.multiplyOnce(s)
	for i := range groups {
		if groups[i] != (baseGroup{}) {
			t.Errorf("group %d is still there", i)
		}
	}
	if l.sum != (sumLanes{}) || l.scalars != [5][8]uint64{} || l.product != (lanes{}) || l.power != (lanes{}) ||
		l.powers != [3]lanes{} || l.groups != nil {
		t.Error("something is still there")
	}
}

// extremes draws numbers of which a share in 256 is 0, 1 or as large as they get.
func extremes(r *rand.Rand, share uint8) func(most uint64) uint64 {
	return func(most uint64) uint64 {
		if r.IntN(256) < int(share) {
			return []uint64{most, most, 0, 1}[r.IntN(4)]
		}
		return r.Uint64N(most)
	}
}

// fill draws limbs as products have them.
func (p *sumLanes) fill(limb func(most uint64) uint64) {
	for _, e := range []*lanes{&p.x, &p.y, &p.z, &p.t} {
		for i := range e {
			for j := range e[i] {
				e[i][j] = limb(1<<51 + 1<<15 - 1)
			}
		}
	}
}

// Any limbs in a table, below 2^52, and any sum to begin with are added as the formulas have it, be
// they points or not.
func FuzzMultiplyBase(f *testing.F) {
	needLanes(f)
	f.Add(uint64(1), uint8(0))
	f.Add(uint64(2), uint8(100))
	f.Add(uint64(3), uint8(255))
	table := new([baseDigits]baseRow)
	f.Fuzz(func(t *testing.T, seed uint64, extreme uint8) {
		r := rand.New(rand.NewPCG(seed, 7))
		limb := extremes(r, extreme)
		for i := range table {
			for j := range table[i] {
				for k := range table[i][j] {
					for m := range table[i][j][k] {
						table[i][j][k][m] = limb(1<<52 - 1)
					}
				}
			}
		}
		var p sumLanes
		p.fill(limb)
		var l baseLanes
		for i := range l.scalars {
			for j := range l.scalars[i] {
				l.scalars[i][j] = limb(1<<64 - 1)
			}
		}
		want := p
		multiplyBaseIFMA(&p, table, &l.scalars)
		for j := range 8 {
			model := want.modelled(table, &l, j)
			p.compare(t, j, model)
		}
	})
}

// compare also looks at the size of limbs.
func (p *sumLanes) compare(t *testing.T, lane int, want [4]*big.Int) {
	t.Helper()
	for i, e := range []*lanes{&p.x, &p.y, &p.z, &p.t} {
		if e.value(lane).Cmp(want[i]) != 0 {
			t.Fatalf("lane %d: coordinate %d is wrong", lane, i)
		}
		for k := range e {
			if e[k][lane] >= 1<<51+1<<15 {
				t.Fatalf("lane %d: limb %d of coordinate %d is too large", lane, k, i)
			}
		}
	}
}

// modelled is what multiplyBaseIFMA computes in a lane.
func (p *sumLanes) modelled(table *[baseDigits]baseRow, l *baseLanes, lane int) [4]*big.Int {
	sum := p.values(lane)
	for pos := range table {
		d := 2*l.digit(pos, lane) - 63
		var q [3]*big.Int
		for i := range q {
			var e lanes
			for limb := range e {
				e[limb][0] = table[pos][i][limb][(max(d, -d)-1)/2]
			}
			q[i] = e.value(0)
		}
		if d < 0 {
			q[0], q[1] = q[1], q[0]
			q[2].Neg(q[2])
		}
		sum = added(sum, [4]*big.Int{q[0], q[1], q[2], big.NewInt(1)})
	}
	return sum
}

// added is a sum, x, y, z and t, and a term, y+x, y-x, dt and z or any multiple of these.
func added(p, q [4]*big.Int) [4]*big.Int {
	m := func(f func(z, a, b *big.Int) *big.Int, a, b *big.Int) *big.Int {
		z := f(new(big.Int), a, b)
		return z.Mod(z, prime)
	}
	mul, add, sub := (*big.Int).Mul, (*big.Int).Add, (*big.Int).Sub
	a, b := m(mul, m(sub, p[1], p[0]), q[1]), m(mul, m(add, p[1], p[0]), q[0])
	c, d := m(mul, p[3], q[2]), m(mul, p[2], q[3])
	e, f, g, h := m(sub, b, a), m(sub, d, c), m(add, d, c), m(add, b, a)
	return [4]*big.Int{m(mul, e, f), m(mul, g, h), m(mul, f, g), m(mul, e, h)}
}

func (p *sumLanes) values(lane int) [4]*big.Int {
	return [4]*big.Int{p.x.value(lane), p.y.value(lane), p.z.value(lane), p.t.value(lane)}
}

// Products and squares of any limbs below 2^52 are those of math/big, and so are sums and differences of
// limbs as products have them.
func FuzzLanes(f *testing.F) {
	needLanes(f)
	f.Add([]byte{1}, []byte{2}, uint8(1))
	f.Fuzz(func(t *testing.T, a, b []byte, n uint8) {
		var x, y, z, square, sum, difference lanes
		x.fill(a)
		y.fill(b)
		squares := int(n)%7 + 1
		multiplyIFMA(&z, &x, &y)
		squareIFMA(&square, &x, squares)
		for i := range x {
			for j := range x[i] {
				x[i][j] = min(x[i][j], 1<<51+1<<15-1)
				y[i][j] = min(y[i][j], 1<<51+1<<15-1)
			}
		}
		addLanesIFMA(&sum, &x, &y)
		subtractLanesIFMA(&difference, &x, &y)
		for j := range 8 {
			v, w := x.value(j), y.value(j)
			if s := new(big.Int).Add(v, w); sum.value(j).Cmp(s.Mod(s, prime)) != 0 {
				t.Fatalf("lane %d: a wrong sum", j)
			}
			if s := new(big.Int).Sub(v, w); difference.value(j).Cmp(s.Mod(s, prime)) != 0 {
				t.Fatalf("lane %d: a wrong difference", j)
			}
			if difference.isZeroVartime(j) != (v.Cmp(w) == 0) {
				t.Fatalf("lane %d: a difference that is 0 or not is the other", j)
			}
			for i := range sum {
				if sum[i][j] >= 1<<51+1<<15 || difference[i][j] >= 1<<51+1<<15 {
					t.Fatalf("lane %d: limb %d is too large", j, i)
				}
			}
		}
		x.fill(a)
		y.fill(b)
		for j := range 8 {
			product := new(big.Int).Mul(x.value(j), y.value(j))
			power := new(big.Int).Exp(x.value(j), new(big.Int).Lsh(big.NewInt(1), uint(squares)), prime)
			if z.value(j).Cmp(product.Mod(product, prime)) != 0 || square.value(j).Cmp(power) != 0 {
				t.Fatalf("lane %d: wrong", j)
			}
			var e field.Element
			z.get(j, &e)
			if little(e.Bytes()).Cmp(product) != 0 {
				t.Fatalf("lane %d: what comes out is wrong", j)
			}
		}
	})
}

// 0 has several forms, and p-1 and p+1 are not among them.
func TestZeroLanes(t *testing.T) {
	t.Parallel()
	const low, high = 1<<51 - 19, 1<<51 - 1
	for _, c := range []struct {
		limbs [5]uint64
		want  bool
	}{
		{[5]uint64{}, true}, {[5]uint64{low, high, high, high, high}, true},
		{[5]uint64{2 * low, 2 * high, 2 * high, 2 * high, 2 * high}, true},
		{[5]uint64{low + 1<<51, high - 1, high, high, high}, true}, {[5]uint64{low, high, high, high, high - 1}, false},
		{[5]uint64{low - 1, high, high, high, high}, false}, {[5]uint64{low + 1, high, high, high, high}, false},
		{[5]uint64{1}, false}, {[5]uint64{4: 1}, false}, {[5]uint64{low, high, high - 1, high, high}, false},
		{[5]uint64{high, high, high, high, high}, false}, {[5]uint64{high + 1, high, high, high, high}, false},
	} {
		var l lanes
		for i := range l {
			l[i][3] = c.limbs[i]
		}
		if got := l.isZeroVartime(3); got != c.want || got != (l.value(3).Sign() == 0) {
			t.Errorf("%x: %v", c.limbs, got)
		}
	}
}

func (l *lanes) fill(b []byte) {
	for i := range l {
		for j := range l[i] {
			var limb [8]byte
			if at := 8 * (8*i + j) % (len(b) + 1); at < len(b) {
				copy(limb[:], b[at:])
			}
			l[i][j] = binary.LittleEndian.Uint64(limb[:]) & (1<<52 - 1)
		}
	}
}

func BenchmarkBaseMults(b *testing.B) {
	for _, n := range []int{1, 2, 8, 256} {
		s := make(secrets, n)
		for i, scalar := range someScalars(4, n) {
			s[i].scalar.Set(scalar)
		}
		for name, f := range map[string]func(){"together": func() { s.multiply() }, "each": s.multiplyEach} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*n), "µs/scalar")
			})
		}
	}
}

// No time in the assembly depends on a secret: no jump but those of loops over public counts, no
// address with an index, no division, no gathering and no shift by a register but by a place.
func TestAssemblyDoesNotBranch(t *testing.T) {
	t.Parallel()
	slow := regexp.MustCompile(`^\s+(J|LOOP|CALL|I?DIV|REP|BS[FR]|V?P?GATHER|VP?(SR|SL)\w+V|VPCOMPRESS|` +
		`[SR]\w[LR][BWLQ]? +CX)|\)\(`)
	instructions := 0
	for _, name := range []string{"lanes_amd64.h", "pow_amd64.s", "base_lanes_amd64.s", "sum_lanes_amd64.s"} {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(src), "\n") {
			line, _, _ = strings.Cut(line, "//")
			if regexp.MustCompile(`^\s+[A-Z]`).MatchString(line) {
				instructions++
			}
			if slow.MatchString(line) && !regexp.MustCompile(`^\tJN[EZ] +next *$`).MatchString(line) {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
	if instructions < 250 {
		t.Errorf("only %d instructions were looked at", instructions)
	}
	for _, line := range []string{"\tJCC done", "\tJMP other", "\tVPGATHERQQ (SI)(Z1*8), K1, Z2", "\tMOVQ (SI)(AX), BX \\",
		"\tDIVQ CX", "\tVPSRLVQ Z1, Z2, Z3", "\tCALL ·f(SB)", "\tLOOP next", "\tSHLQ CX, AX"} {
		if !slow.MatchString(line) {
			t.Errorf("%q: not found", line)
		}
	}
}

// Every function that may have had a secret in lanes leaves by LEAVE, which clears all registers.
func TestAssemblyClearsRegisters(t *testing.T) {
	t.Parallel()
	macros, err := os.ReadFile("lanes_amd64.h")
	if err != nil {
		t.Fatal(err)
	}
	_, leave, _ := strings.Cut(string(macros), "#define LEAVE")
	leave, _, _ = strings.Cut(leave, "\n\n")
	leave = strings.Join(strings.Fields(strings.ReplaceAll(leave, "\\", "")), " ")
	for i := range 32 {
		if clear := fmt.Sprintf("VPXORQ Z%d, Z%[1]d, Z%[1]d ", i); !strings.Contains(leave, clear) {
			t.Errorf("not there: %s", clear)
		}
	}
	if !strings.HasSuffix(leave, "KXORW K1, K1, K1 KXORW K2, K2, K2 VZEROUPPER") {
		t.Error("masks are left")
	}
	for name, file := range map[string]string{
		"multiplyBaseIFMA": "base_lanes_amd64.s", "multiplyIFMA": "pow_amd64.s", "squareIFMA": "pow_amd64.s",
	} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, function, _ := strings.Cut(string(src), "TEXT ·"+name+"(SB)")
		function, _, _ = strings.Cut(function, "\nTEXT ")
		if strings.Count(function, "\tRET\n") != 1 || !strings.Contains(function, "\tLEAVE\n\tRET\n") {
			t.Errorf("%s does not clear registers", name)
		}
	}
}
