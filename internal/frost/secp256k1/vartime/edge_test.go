package vartime

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// Tests at the edges that random inputs don't come near: roundings of the split, points that meet themselves.

var bigOrder, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)

var bigPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(fold))

const fold = 1<<32 + 977

func bigOf(l [4]uint64) *big.Int {
	e := element(l)
	return new(big.Int).SetBytes(e.AppendBytes(nil))
}

func elementOf(n *big.Int) (e element) {
	b := n.FillBytes(make([]byte, 32))
	e.SetBytesVartime(b)
	return e
}

func scalarOfBig(n *big.Int) *Scalar {
	b := new(big.Int).Mod(n, bigOrder).FillBytes(make([]byte, 32))
	s, err := secp.NewScalarFromCanonicalBytes((*[32]byte)(b))
	if err != nil {
		panic(err)
	}
	return s
}

// edgeElement is made of limbs that carry, or don't by one.
func edgeElement(r *rand.Rand) (e element) {
	edges := []uint64{0, 1, 2, fold - 1, fold, fold + 1, 1 << 32, 1 << 63, -fold & (1<<64 - 1), 1<<64 - 2, 1<<64 - 1}
	for i := range e {
		if e[i] = edges[r.IntN(len(edges))]; r.IntN(8) == 0 {
			e[i] = r.Uint64()
		}
	}
	return e
}

// Whatever the scalar, its digits add up to it, in both forms.
func TestDigits(t *testing.T) {
	r := newRand(21)
	for range 1000 {
		l := limbs(edgeElement(r))
		for i := r.IntN(4); i > 0; i-- {
			l[4-i] = 0
		}
		n := bigOf(l)
		for w := 3; w <= 14; w++ {
			sum := new(big.Int)
			for pos := digitPositions([]limbs{l}, w) - 1; pos >= 0; pos-- {
				d := l.digit(pos, w)
				if d < -1<<(w-1) || d > 1<<(w-1) {
					t.Fatalf("digit %d of %d bits", d, w)
				}
				sum.Lsh(sum, uint(w)).Add(sum, big.NewInt(int64(d)))
			}
			if sum.Cmp(n) != 0 {
				t.Fatalf("the digits of %d bits of %x add up to %x", w, n, sum)
			}
		}
		l[2], l[3] = 0, 0
		n = bigOf(l)
		for _, negative := range []bool{false, true} {
			var digits naf
			length, sum := digits.set(&term{l, negative}), new(big.Int)
			for i := len(digits) - 1; i >= 0; i-- {
				d := digits[i]
				if d != 0 && (d&1 == 0 || d > 15 || d < -15 || i >= length) {
					t.Fatalf("digit %d at %d of %d", d, i, length)
				}
				sum.Lsh(sum, 1).Add(sum, big.NewInt(int64(d)))
			}
			if negative {
				sum.Neg(sum)
			}
			if sum.Cmp(n) != 0 {
				t.Fatalf("the non-adjacent form of %x adds up to %x", n, sum)
			}
		}
	}
}

// The parts of a split are longest where a rounding turns: half way between
// two multiples of order/a1 or order/-b1.
func TestSplitWhereRoundingTurns(t *testing.T) {
	r := newRand(22)
	for range 2000 {
		e := edgeElement(r)
		n := bigOf(element{e[0], e[1]})
		n.Lsh(n, 1).Add(n, big.NewInt(1)).Mul(n, bigOrder).Rsh(n, 1)
		by := [...]limbs{a1, minusB1}[r.IntN(2)]
		n.Div(n, bigOf(by))
		for d := range int64(3) {
			checkSplit(t, scalarOfBig(new(big.Int).Add(n, big.NewInt(d-1))))
		}
	}
}

// The constants of the split are what the method wants: two short vectors
// (a1, b1) and (a2, b2) of the lattice a + b·lambda = 0, and the rounded
// quotients. The parts k1 and k2 are then below (a1+a2)/2 and (b2-b1)/2, give
// or take 2^-128 of that, which is less than 2^128.
func TestSplitConstants(t *testing.T) {
	num := func(l limbs) *big.Int { return bigOf(l) }
	lam := new(big.Int).SetBytes(lambda(t).Bytes())
	for name, v := range map[string]*big.Int{
		"a1 + b1·lambda": new(big.Int).Sub(num(a1), new(big.Int).Mul(num(minusB1), lam)),
		"a2 + b2·lambda": new(big.Int).Add(num(a2), new(big.Int).Mul(num(a1), lam)),
	} {
		if v.Mod(v, bigOrder).Sign() != 0 {
			t.Errorf("%s is not 0", name)
		}
	}
	for _, c := range []struct{ g, by limbs }{{g1, a1}, {g2, minusB1}} {
		want := new(big.Int).Lsh(num(c.by), 385)
		want.Add(want, bigOrder).Div(want, new(big.Int).Lsh(bigOrder, 1))
		if num(c.g).Cmp(want) != 0 {
			t.Errorf("g is %x, want %x", num(c.g), want)
		}
	}
	limit := new(big.Int).Lsh(big.NewInt(1), 129)
	limit.Sub(limit, big.NewInt(4))
	for _, sum := range []*big.Int{new(big.Int).Add(num(a1), num(a2)), new(big.Int).Add(num(a1), num(minusB1))} {
		if sum.Cmp(limit) >= 0 {
			t.Error("a part may have more than 128 bits")
		}
	}
}

func TestGeneratorTable(t *testing.T) {
	table, base := generatorTable(), secp.NewGeneratorPoint()
	for i := range table {
		p := secp.NewIdentityPoint()
		for j := range table[i] {
			if table[i][j] != FromPoint(p.Add(p, base)) {
				t.Fatalf("%d·2^%d·G is wrong", j+1, 8*i)
			}
		}
		for range 8 {
			base.Double(base)
		}
	}
}

// Sums of points with few and related logarithms, so that equal points,
// opposite ones, and those with equal y, meet in buckets, tables and running
// sums, and whole sums vanish.
func TestSumsOfRelatedPoints(t *testing.T) {
	r := newRand(23)
	lam := new(big.Int).SetBytes(lambda(t).Bytes())
	logs := make([]*big.Int, 0, 30)
	points := make([]Point, 0, 30)
	for k := int64(-4); k <= 4; k++ {
		for _, by := range []*big.Int{big.NewInt(1), lam, new(big.Int).Mul(lam, lam)} {
			n := new(big.Int).Mul(by, big.NewInt(k))
			logs = append(logs, n)
			points = append(points, FromPoint(secp.NewIdentityPoint().ScalarBaseMult(scalarOfBig(n))))
		}
	}
	edges := edgeScalars()
	for round := range 150 {
		n := []int{1, 2, 3, 5, 9, 40, 300}[round%7]
		only, same := r.IntN(len(points)), edges[r.IntN(len(edges))]
		scalars, at := make([]*Scalar, n), make([]Point, n)
		sum := new(big.Int)
		for i := range n {
			j := r.IntN(len(points))
			if round%3 == 1 {
				j = only // one point over and over
			}
			scalars[i], at[i] = edges[r.IntN(len(edges))], points[j]
			if round%2 == 1 {
				scalars[i] = same // one bucket
			}
			sum.Add(sum, new(big.Int).Mul(new(big.Int).SetBytes(scalars[i].Bytes()), logs[j]))
			if i == n-1 && round%5 == 4 { // nothing is left
				scalars[i] = secp.NewScalar().One()
				sum.SetInt64(0)
				at[i] = Point{}
				rest := MultiScalarMult(scalars, at)
				rest = rest.Negate()
				at[i] = Affine(rest)[0]
			}
		}
		want := FromPoint(secp.NewIdentityPoint().ScalarBaseMult(scalarOfBig(sum)))
		check(t, fmt.Sprintf("round %d, %d points", round, n), scalars, at, want)
	}
}

// A step of arithmetic at a time on a few sums whose logarithms are known.
func TestChainsOfAdditions(t *testing.T) {
	r := newRand(24)
	g := Generator()
	for range 200 {
		var sums [4]Jacobian
		var logs [4]int64
		for range 12 {
			i, j := r.IntN(4), r.IntN(4)
			switch r.IntN(5) {
			case 0:
				sums[i].double()
				logs[i] *= 2
			case 1:
				sums[i].Add(&sums[j])
				logs[i] += logs[j]
			case 2:
				sums[i] = sums[i].Negate()
				logs[i] = -logs[i]
			case 3:
				sums[i].AddPoint(&g)
				logs[i]++
			case 4:
				p := Affine(sums[j])[0]
				negative := r.IntN(2) == 0
				q := p.NegateIf(negative)
				if sums[i].AddPoint(&q); negative {
					logs[i] -= logs[j]
				} else {
					logs[i] += logs[j]
				}
			}
		}
		for i, p := range Affine(sums[:]...) {
			want := FromPoint(secp.NewIdentityPoint().ScalarBaseMult(scalarOfBig(big.NewInt(logs[i]))))
			if p != want || !sums[i].Equals(&want) || sums[i].IsIdentity() != (logs[i] == 0) {
				t.Fatalf("%d·G is wrong", logs[i])
			}
			// Additions look for the identity by a Z of 0, not of p.
			if sums[i].z.IsZeroVartime() != (sums[i].z == element{}) {
				t.Fatal("an identity has another Z than 0")
			}
		}
	}
}

// smallPoints are points with an x or a y below fold: those have a second form
// that fits in 256 bits, and products that come out there do so in it.
func smallPoints(t *testing.T) (points []Point) {
	t.Helper()
	// (p+2)/9 is a whole number, and the exponent of a cube root.
	root := new(big.Int).Div(new(big.Int).Add(bigPrime, big.NewInt(2)), big.NewInt(9))
	for n := range int64(400) {
		if p, ok := LiftX((*[32]byte)(big.NewInt(n).FillBytes(make([]byte, 32))), n%2 == 0); ok {
			points = append(points, p)
		}
		xxx := new(big.Int).Mod(big.NewInt(n*n-7), bigPrime)
		x := elementOf(new(big.Int).Exp(xxx, root, bigPrime))
		if p, ok := Decode((&element{uint64(n)}).AppendBytes(x.AppendBytes(nil))); ok {
			points = append(points, p)
		}
	}
	if len(points) < 200 {
		t.Fatalf("only %d points with a small coordinate", len(points))
	}
	return points
}

// The y of an affine sum comes out in its second form if both it and the first
// point's are small.
func TestSumsWithSmallCoordinates(t *testing.T) {
	points := smallPoints(t)[:60]
	for i := range points {
		p := &points[i]
		minus := p.Negate()
		others := make([]Jacobian, len(points))
		for j := range points {
			others[j] = points[j].Jacobian()
			others[j].AddPoint(&minus)
		}
		sums := make([]Point, len(points))
		for j := range sums {
			sums[j] = *p
		}
		AddAll(sums, Affine(others...))
		for j := range sums {
			if sums[j] != points[j] {
				t.Fatalf("%x + (%x - %[1]x) is another point", p.AppendWire(nil), points[j].AppendWire(nil))
			}
		}
	}
}

func TestSmallCoordinates(t *testing.T) {
	var betas [3]Point // P, lambda·P, lambda²·P
	for i, p := range smallPoints(t) {
		wire := p.AppendWire(nil)
		for at, e := range []element{p.x, p.y} {
			n := bigOf(e)
			if n.Add(n, bigPrime); n.BitLen() > 256 {
				continue
			}
			second := bytes.Clone(wire)
			n.FillBytes(second[32*at:][:32])
			if _, ok := Decode(second); ok {
				t.Fatalf("%x was accepted", second)
			}
			if _, ok := LiftX((*[32]byte)(second), false); ok && at == 0 {
				t.Fatalf("%x was lifted", second[:32])
			}
		}
		x, minus := p.X(), p.Negate()
		for _, want := range []Point{p, minus} {
			if got, ok := LiftX(&x, want.y[0]&1 == 1); !ok || got != want {
				t.Fatalf("%x is not lifted to its point", x)
			}
		}
		for j, back := range Affine(scaled(&p, 2), scaled(&p, 1<<31+1), scaled(&p, 3)) {
			if back != p {
				t.Fatalf("%x comes back as another point, %d", wire, j)
			}
		}
		if i%20 > 0 {
			continue
		}
		q := p
		for j := range betas {
			betas[j] = q
			q.x.Mul(&q.x, &beta).ReduceVartime()
		}
		var scalars []*Scalar
		var points []Point
		var theirs []*secp.Point
		for _, s := range edgeScalars() {
			for j := range betas {
				wire := betas[j].AppendWire(nil)
				their, err := secp.NewPointFromCoords((*[32]byte)(wire), (*[32]byte)(wire[32:]))
				if err != nil {
					t.Fatal(err)
				}
				scalars, points, theirs = append(scalars, s), append(points, betas[j]), append(theirs, their)
			}
		}
		check(t, "small", scalars, points, FromPoint(secp.NewIdentityPoint().MultiScalarMultVartime(scalars, theirs)))
	}
}
