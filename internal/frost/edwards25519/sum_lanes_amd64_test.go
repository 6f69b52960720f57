//go:build amd64 && !purego

package edwards25519

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Terms of any limbs, wherever they are in memory, are added and subtracted as the formulas have it.
func FuzzAddTerms(f *testing.F) {
	needLanes(f)
	f.Add(uint64(1), uint8(0), uint8(0x00))
	f.Add(uint64(2), uint8(100), uint8(0xff))
	f.Add(uint64(3), uint8(255), uint8(0xa5))
	f.Fuzz(func(t *testing.T, seed uint64, extreme, minus uint8) {
		r := rand.New(rand.NewPCG(seed, 8))
		limb := extremes(r, extreme)
		var p sumLanes
		p.fill(limb)
		terms, next := make([]term, 11), [8]*term{}
		for i := range terms {
			for j := range terms[i] {
				terms[i][j] = limb(1<<52 - 1)
			}
			for j := 10; j < 15; j++ { // what is negated
				terms[i][j] = limb(1<<51 + 1<<15 - 1)
			}
		}
		for lane := range next {
			next[lane] = &terms[r.IntN(len(terms))]
		}
		before := p
		addIFMA(&p, &next, minus)
		for lane := range next {
			q := next[lane].values()
			if minus>>lane&1 == 1 {
				q[0], q[1] = q[1], q[0]
				q[2].Neg(q[2])
			}
			p.compare(t, lane, added(before.values(lane), q))
		}

		double := before
		doubleIFMA(&double)
		for lane := range next {
			double.compare(t, lane, doubled(before.values(lane)))
		}

		var q termLanes
		termsIFMA(&q, &p, &laneTwoD)
		sum := before
		addTermsIFMA(&sum, &q)
		for lane := range next {
			var own term
			own.get(&q, lane)
			v, want := own.values(), p.values(lane)
			want = [4]*big.Int{
				new(big.Int).Add(want[1], want[0]), new(big.Int).Sub(want[1], want[0]),
				new(big.Int).Mul(want[3], laneTwoD.value(lane)), new(big.Int).Add(want[2], want[2]),
			}
			for i := range want {
				if v[i].Cmp(want[i].Mod(want[i], prime)) != 0 {
					t.Fatalf("lane %d: number %d of the term is wrong", lane, i)
				}
			}
			sum.compare(t, lane, added(before.values(lane), v))
			for i := range own {
				if own[i] >= 1<<51+1<<15 {
					t.Fatalf("lane %d: limb %d of the term is too large", lane, i)
				}
			}
		}
	})
}

func doubled(p [4]*big.Int) [4]*big.Int {
	m := func(f func(z, a, b *big.Int) *big.Int, a, b *big.Int) *big.Int {
		z := f(new(big.Int), a, b)
		return z.Mod(z, prime)
	}
	mul, add, sub := (*big.Int).Mul, (*big.Int).Add, (*big.Int).Sub
	a, b, c, s := m(mul, p[0], p[0]), m(mul, p[1], p[1]), m(mul, p[2], p[2]), m(add, p[0], p[1])
	h, g := m(add, a, b), m(sub, a, b)
	e, f := m(sub, h, m(mul, s, s)), m(add, m(add, c, c), g)
	return [4]*big.Int{m(mul, e, f), m(mul, g, h), m(mul, f, g), m(mul, e, h)}
}

// values are y+x, y-x, 2dt and 2z.
func (q *term) values() (v [4]*big.Int) {
	for i, first := range []int{0, 1, 10, 15} {
		var l lanes
		for limb := range l {
			l[limb][0] = q[first+limb*[]int{2, 2, 1, 1}[i]]
		}
		v[i] = l.value(0)
	}
	return v
}

// Sums in lanes are those of curve25519-voi, of any number of terms: extreme scalars and equal ones,
// the identity, points of small and of mixed order, and those that double or cancel what is there.
func TestSumLanes(t *testing.T) {
	t.Parallel()
	needLanes(t)
	extreme := edges(t)
	r := rand.New(rand.NewPCG(9, 9))
	kinds := []func(i int) (*Scalar, *Point){
		func(i int) (*Scalar, *Point) { return extreme[i%len(extreme)], BaseMult(extreme[(i*7)%len(extreme)]) },
		func(i int) (*Scalar, *Point) { return orderLess(3), BaseMult(orderLess(9)) },
		func(i int) (*Scalar, *Point) {
			return extreme[i/2*2%len(extreme)], sign(i, BaseMult(extreme[i/2*3%len(extreme)]))
		},
		func(i int) (*Scalar, *Point) {
			return extreme[r.IntN(len(extreme))], new(Point).Add(curve.EIGHT_TORSION[i%8], BaseMult(extreme[i%5]))
		},
		func(i int) (*Scalar, *Point) {
			return scalar.NewFromUint64(uint64(i % 3)), new(Point).Set(curve.EIGHT_TORSION[i%8])
		},
	}
	for _, n := range []int{0, 1, 2, 7, 8, 9, 64, 250, 1100} {
		for kind, term := range kinds {
			scalars, points := make([]*Scalar, n), make([]*Point, n)
			for i := range points {
				scalars[i], points[i] = term(i)
			}
			compareSums(t, scalars, points)
			if t.Failed() {
				t.Fatalf("%d terms of kind %d", n, kind)
			}
		}
	}
}

func sign(i int, p *Point) *Point {
	if i%2 == 1 {
		p.Neg(p)
	}
	return p
}

func compareSums(t *testing.T, scalars []*Scalar, points []*Point) {
	t.Helper()
	encoded, terms := make([][ScalarSize]byte, len(points)), make([]term, len(points))
	values := make([]Point, len(points))
	for i := range points {
		encoded[i] = EncodeScalar(scalars[i])
		terms[i].set(coordinates(points[i]))
		values[i].Set(points[i])
	}
	want := Encode(curve.NewEdwardsPoint().MultiscalarMulVartime(scalars, points))
	each := sumVartime(encoded, Affines(values))
	var got [2]Affine
	affine(got[:], []extended{sumTermsVartime(encoded, terms), each})
	if got[0].Encode() != want || got[1].Encode() != want {
		t.Errorf("%x in lanes, %x alone, want %x", got[0].Encode(), got[1].Encode(), want)
	}
	if dispatched := MultiScalarMultVartime(scalars, points); Encode(dispatched) != want {
		t.Errorf("%x, want %x", Encode(dispatched), want)
	}
	small := want
	p := curve.NewEdwardsPoint()
	if q, err := decompress(small[:]); err != nil {
		t.Error(err)
	} else if SumIsSmallVartime(encoded, Affines(values)) != p.MulByCofactor(q).IsIdentity() {
		t.Error("whether the sum is of small order is wrong")
	}
}

// The sum can be used where another library's points go.
func TestSumLanesAsPoint(t *testing.T) {
	t.Parallel()
	needLanes(t)
	scalars, points := someScalars(13, worthwhileSum), make([]*Point, worthwhileSum)
	for i := range points {
		points[i] = BaseMult(scalars[len(scalars)-1-i])
	}
	sum, ok := multiScalarMultTogether(scalars, points)
	want := curve.NewEdwardsPoint().MultiscalarMulVartime(scalars, points)
	if !ok || sum.Equal(want) != 1 || sum.Add(sum, points[0]).Equal(want.Add(want, points[0])) != 1 {
		t.Error("it is another point")
	}
	if _, ok := multiScalarMultTogether(scalars[1:], points); ok {
		t.Error("taken with a scalar too few")
	}
}

func FuzzSumLanes(f *testing.F) {
	needLanes(f)
	f.Add(uint64(1), uint16(300), uint8(0))
	f.Add(uint64(2), uint16(20), uint8(200))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, same uint8) {
		r := rand.New(rand.NewPCG(seed, 3))
		var scalars []*Scalar
		var points []*Point
		for i := range int(n) % 500 {
			if i > 0 && r.IntN(256) < int(same) {
				scalars, points = append(scalars, scalars[r.IntN(i)]), append(points, points[r.IntN(i)])
				continue
			}
			var b [32]byte
			for j := range b[:r.IntN(33)] {
				b[j] = byte(r.Uint32())
			}
			s, err := scalar.NewFromBytesModOrder(b[:])
			if err != nil {
				t.Fatal(err)
			}
			scalars, points = append(scalars, s), append(points, BaseMult(scalar.NewFromUint64(r.Uint64()>>r.IntN(64))))
		}
		compareSums(t, scalars, points)
	})
}
