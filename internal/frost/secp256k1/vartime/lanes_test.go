package vartime

import (
	"bytes"
	"fmt"
	"math/big"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// The tests of sums again, eight points at once if that was not so before, and one by one if it was.
// Tests of this package run one after the other.
func TestTheOtherWay(t *testing.T) {
	fastLanes = !fastLanes
	t.Cleanup(func() { fastLanes = !fastLanes })
	for name, test := range map[string]func(*testing.T){
		"additions": TestAdditions, "blocks": TestAddAllBlocks, "small coordinates": TestSumsWithSmallCoordinates,
		"multiples": TestMultiScalarMult, "edge scalars": TestEdgeScalars, "related points": TestSumsOfRelatedPoints,
		"one bucket": TestOneBucket, "weigh": TestWeigh, "evaluate": TestEvaluateAllAt, "decode": TestDecodeInto,
	} {
		t.Run(name, test)
	}
}

// multiplesOfG returns G, 2G, ..., and what AddAll has no part in.
func multiplesOfG(n int) []Point {
	sums := make([]Jacobian, n)
	var sum Jacobian
	for i := range sums {
		sums[i] = *sum.AddPoint(&generator)
	}
	return Affine(sums...)
}

// timesG returns k·G.
func timesG(k int64) Point {
	return FromPoint(secp.NewIdentityPoint().ScalarBaseMult(scalarOfBig(big.NewInt(k))))
}

// More points in a bucket than additions that share an inversion, some of which have their
// neighbour's double, negative or nothing for a sum.
func TestOneBucket(t *testing.T) {
	const n = 2*roundSize*2 + 37
	multiples := multiplesOfG(n)
	points, terms := make([]Point, n), make([]limbs, n)
	want := int64(0)
	for i := range points {
		terms[i] = limbs{5}
		k := i
		switch i / 2 % 5 {
		case 1:
			k = i &^ 1 // twice the same
		case 2:
			k = i &^ 1
			if i%2 == 1 {
				points[i] = multiples[k].Negate()
				want -= int64(k + 1)
				continue
			}
		}
		points[i] = multiples[k]
		want += int64(k + 1)
	}
	for _, w := range []int{3, 4, 9} {
		got := pippenger(terms, points, w)
		if p := timesG(5 * want); !got.Equals(&p) {
			t.Fatalf("the sum in digits of %d bits is wrong", w)
		}
	}
}

// weigh against the definition, with sums missing, equal and opposite.
func TestWeigh(t *testing.T) {
	r := newRand(31)
	multiples := multiplesOfG(40)
	for w := 3; w <= 6; w++ {
		for round := range 60 {
			positions := 1 + r.IntN(4)
			sums, want := make([]Point, positions*gridSize(w)), int64(0)
			few := 1 + r.IntN(40)
			for i := range sums {
				d := i % gridSize(w)
				if d == 0 || r.IntN(4) == round%4 {
					continue
				}
				k := r.IntN(few)
				negative := r.IntN(2) == 0
				sums[i] = multiples[k].NegateIf(negative)
				product := int64(k+1) * int64(d) << (w * (i / gridSize(w)))
				if negative {
					product = -product
				}
				want += product
			}
			a := newAdditions()
			got := weigh(a, sums, w)
			a.release()
			if p := timesG(want); !got.Equals(&p) {
				t.Fatalf("%d positions of %d bits: the sum is wrong", positions, w)
			}
		}
	}
}

// A bad point anywhere is found, and nothing else is.
func TestDecodeInto(t *testing.T) {
	const n = 21
	var wire []byte
	good := multiplesOfG(n)
	copy(good[3:], smallPoints(t)[:4])
	for i := range good {
		wire = good[i].AppendWire(wire)
	}
	points := make([]Point, n)
	if DecodeInto(points, wire) != -1 || fmt.Sprint(points) != fmt.Sprint(good) {
		t.Fatal("good points are refused, or others")
	}
	prime := bigPrime.FillBytes(make([]byte, 32))
	// A point whose x has a second form, and one whose y has.
	var small [2]Point
	for _, p := range smallPoints(t) {
		if p.x[1]|p.x[2]|p.x[3] == 0 {
			small[0] = p
		} else {
			small[1] = p
		}
	}
	for i := range good {
		at := wire[i*PointSize:][:PointSize]
		before := bytes.Clone(at)
		offCurve := bytes.Clone(at)
		offCurve[40] ^= 1
		for name, b := range map[string][]byte{
			"off the curve": offCurve, "zeros": make([]byte, 64), "x is p": append(bytes.Clone(prime), at[32:]...),
			"y is p": append(bytes.Clone(at[:32]), prime...), "ones": bytes.Repeat([]byte{0xff}, 64),
			"x not reduced": unreduced(&small[0]), "y not reduced": unreduced(&small[1]),
		} {
			copy(at, b)
			if got := DecodeInto(points, wire); got != i {
				t.Fatalf("%s: point %d is refused, and %d is bad", name, got, i)
			}
		}
		copy(at, before)
	}
	defer func() {
		if recover() == nil {
			t.Error("another length was accepted")
		}
	}()
	DecodeInto(points, wire[1:])
}

// unreduced is a point on the curve with p added to a small coordinate.
func unreduced(p *Point) []byte {
	b := p.AppendWire(nil)
	for _, c := range [][]byte{b[:32], b[32:]} {
		n := new(big.Int).SetBytes(c)
		if n.Add(n, bigPrime).BitLen() <= 256 {
			n.FillBytes(c)
			return b
		}
	}
	panic("no small coordinate")
}

// edgeLanes are tight, with limbs around which carries and reductions go wrong.
func edgeLanes(pick func(n int) int) *field.Lanes {
	var l field.Lanes
	for i := range field.LaneCount {
		for j := range l {
			top := uint64(1<<52 - 1)
			if j == 4 {
				top = 1<<48 - 1
			}
			l[j][i] = []uint64{0, 1, top - 1<<32 - 977, top - 1<<32 - 976, top - 1<<32 - 975, top - 1, top}[pick(7)]
		}
		if pick(4) == 0 { // what is between 2^256 and the bound
			l[4][i] = 1<<48 + uint64(pick(64))
		}
	}
	return &l
}

// checkLanes compares gather, scatter and fromWire with their generic forms, and these with elements.
func checkLanes(t *testing.T, pick func(n int) int) {
	t.Helper()
	xs, ys := edgeLanes(pick), edgeLanes(pick)
	to := [field.LaneCount]int32{9, 0, 3, 7, 1, 8, 2, 5}
	var points, want [10]Point
	scatter(points[:], &to, xs, ys)
	scatterGeneric(want[:], &to, xs, ys)
	if points != want {
		t.Fatalf("%x, %x are written as\n%x instead of\n%x", *xs, *ys, points, want)
	}
	for i, at := range to {
		var x, y element
		xs.Get(i, &x)
		ys.Get(i, &y)
		if points[at].x != x || points[at].y != y {
			t.Fatal("a point is in another place")
		}
	}
	var from [field.LaneCount]signed
	for i := range from {
		from[i] = signed(pick(2 * len(points)))
	}
	var x, y, x2, y2, zero field.Lanes
	gather(&x, &y, points[:], &from)
	gatherGeneric(&x2, &y2, points[:], &from)
	if x != x2 || y != y2 {
		t.Fatalf("of %x at %v become\n%x, %x instead of\n%x, %x", points, from, x, y, x2, y2)
	}
	x2.Sub(&zero, &y) // as additions use it
	y2.Sub(&y, &zero)
	for i, at := range from {
		p := &points[at>>1]
		var gotX, plus, minus, minusY element
		x.Get(i, &gotX)
		x2.Get(i, &minus)
		y2.Get(i, &plus)
		y := p.y
		minusY.Negate(&y).ReduceVartime()
		if at&1 == 1 {
			y, minusY = minusY, y
		}
		if gotX != p.x || plus != y || minus != minusY {
			t.Fatalf("%x is read as %x, %x, %x", *p, gotX, plus, minus)
		}
	}
	var wire [field.LaneCount * PointSize]byte
	for i := range wire {
		wire[i] = byte(pick(256))
	}
	fromWire(points[:8], wire[:])
	fromWireGeneric(want[:8], wire[:])
	for i := range field.LaneCount {
		b := points[i].y.AppendBytes(points[i].x.AppendBytes(nil))
		if points[i] != want[i] || !bytes.Equal(b, wire[i*PointSize:][:PointSize]) {
			t.Fatalf("wire point %d is read as %x", i, points[i])
		}
	}
}

func TestLanes(t *testing.T) {
	r := newRand(32)
	for range 2000 {
		checkLanes(t, r.IntN)
	}
}

func FuzzLanes(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6})
	f.Add(bytes.Repeat([]byte{6, 255}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		i := 0
		checkLanes(t, func(n int) int {
			if len(b) == 0 {
				return 0
			}
			i++
			return int(b[i%len(b)]) % n
		})
	})
}

// FuzzSums adds small multiples of G in pairs, and in buckets.
func FuzzSums(f *testing.F) {
	f.Add([]byte{1, 1, 1, 255, 0, 3, 2, 2, 5, 9, 7, 7, 7, 249, 1, 0, 4, 4})
	multiples := multiplesOfG(128)
	point := func(k int8) (p Point) {
		if k != 0 {
			p = multiples[max(int(k), -int(k))-1].NegateIf(k < 0)
		}
		return p
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var sums, others, terms []Point
		var scalars []limbs
		want, sum := []int64{}, int64(0)
		for ; len(b) > 1; b = b[2:] {
			j, k := int8(b[0]), int8(b[1])
			sums, others, want = append(sums, point(j)), append(others, point(k)), append(want, int64(j)+int64(k))
			if j != 0 && k > 0 {
				terms, scalars = append(terms, point(j)), append(scalars, limbs{uint64(k)})
				sum += int64(j) * int64(k)
			}
		}
		AddAll(sums, others)
		for i := range sums {
			if sums[i] != timesG(want[i]) {
				t.Fatalf("%d·G is wrong", want[i])
			}
		}
		got, p := pippenger(scalars, terms, 3), timesG(sum)
		if !got.Equals(&p) {
			t.Fatal("the sum of all is wrong")
		}
	})
}
