package field

import (
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"testing"
)

// big is the number in lane i, not reduced.
func (l *Lanes) big(i int) *big.Int {
	sum := new(big.Int)
	for j := len(l) - 1; j >= 0; j-- {
		sum.Add(sum.Lsh(sum, 52), new(big.Int).SetUint64(l[j][i]))
	}
	return sum
}

// edgeLimbs are numbers of 52 bits at which something carries, or fails to by one.
var edgeLimbs = []uint64{
	0, 1, 2, fold - 1, fold, fold + 1, fold60, mask48 - 1, mask48, mask48 + 1, mask48 + 64, 1 << 51,
	mask52 - fold - 1, mask52 - fold, mask52 - fold + 1, mask52 - 1, mask52,
}

// largestTight is the largest highest limb of what may be subtracted.
const largestTight = 1<<49 - 2

// edgeLanes have such limbs, or the elements at edges, or are all the largest there may be.
func edgeLanes(r *rand.Rand, elements []Element) *Lanes {
	l := new(Lanes)
	for j := range LaneCount {
		if kind := r.IntN(4); kind == 0 {
			l.Set(j, &elements[r.IntN(len(elements))])
			continue
		}
		for i := range l {
			if l[i][j] = edgeLimbs[r.IntN(len(edgeLimbs))]; r.IntN(6) == 0 {
				l[i][j] = r.Uint64() & mask52
			}
		}
		if r.IntN(20) == 0 {
			l.setLane(j, &lane{mask52, mask52, mask52, mask52, mask52})
		}
	}
	return l
}

// tightOf has the same limbs, but for a highest one that is too large to be subtracted.
func (l *Lanes) tightOf() *Lanes {
	t := *l
	for j := range LaneCount {
		if t[4][j] > largestTight {
			t[4][j] = largestTight
		}
	}
	return &t
}

// bothWays runs a test with the processor's instructions, if it has them, and without.
func bothWays(t *testing.T, test func(t *testing.T)) {
	t.Run("generic", func(t *testing.T) {
		withoutIFMA(t)
		test(t)
	})
	t.Run("ifma", func(t *testing.T) {
		if !FastLanes() {
			t.Skip("needs AVX-512 IFMA")
		}
		test(t)
	})
}

func TestLanes(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		r, elements := newRand(30), edgeElements()
		for range 3000 {
			checkLanes(t, edgeLanes(r, elements), edgeLanes(r, elements))
		}
	})
}

// All elements at edges, reduced or not, with all of them.
func TestLanesOfElements(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		all := edgeElements()
		var a, b Lanes
		for i := range all {
			a.Broadcast(&all[i])
			for j := range all {
				b.Set(j%LaneCount, &all[j])
				if j%LaneCount == LaneCount-1 || j == len(all)-1 {
					checkLanes(t, &a, &b)
				}
			}
		}
	})
}

// checkLanes holds all operations on two lanes against math/big, and the assembly against the
// same in Go.
func checkLanes(t *testing.T, a, b *Lanes) {
	t.Helper()
	tight := b.tightOf()
	var product, square, sum, difference, negative Lanes
	product.Mul(a, b)
	square.Square(a)
	sum.Add(a, b)
	difference.Sub(a, tight)
	negative.Negate(tight)
	for j := range LaneCount {
		x, y, s := a.big(j), b.big(j), tight.big(j)
		checkLane(t, "a·b", &product, j, new(big.Int).Mul(x, y))
		checkLane(t, "a²", &square, j, new(big.Int).Mul(x, x))
		checkLane(t, "a+b", &sum, j, new(big.Int).Add(x, y))
		checkLane(t, "a-b", &difference, j, new(big.Int).Sub(x, s))
		checkLane(t, "-b", &negative, j, new(big.Int).Neg(s))
	}
	var generic [4]Lanes
	generic[0].mulGeneric(a, b)
	generic[1].mulGeneric(a, a)
	generic[2].addGeneric(a, b)
	generic[3].subGeneric(a, tight)
	if generic != [4]Lanes{product, square, sum, difference} {
		t.Fatalf("limbs are other ones than those of the same in Go:\n%x\n%x", *a, *b)
	}
	// In place, at every place.
	for i, got := range []*Lanes{
		new(Lanes).set(a).inPlace(func(l *Lanes) { l.Mul(l, b) }),
		new(Lanes).set(b).inPlace(func(l *Lanes) { l.Mul(a, l) }),
		new(Lanes).set(a).inPlace(func(l *Lanes) { l.Square(l) }),
		new(Lanes).set(a).inPlace(func(l *Lanes) { l.Add(l, b) }),
		new(Lanes).set(b).inPlace(func(l *Lanes) { l.Add(a, l) }),
		new(Lanes).set(a).inPlace(func(l *Lanes) { l.Sub(l, tight) }),
		new(Lanes).set(tight).inPlace(func(l *Lanes) { l.Sub(a, l) }),
	} {
		if want := []*Lanes{&product, &product, &square, &sum, &sum, &difference, &difference}[i]; *got != *want {
			t.Fatalf("in place, operation %d has another result", i)
		}
	}
}

func (l *Lanes) set(a *Lanes) *Lanes {
	*l = *a
	return l
}

func (l *Lanes) inPlace(f func(*Lanes)) *Lanes {
	f(l)
	return l
}

// checkLane checks a result: its value, that it is tight, and what it is as an element.
func checkLane(t *testing.T, what string, got *Lanes, j int, want *big.Int) {
	t.Helper()
	value := got.big(j)
	if new(big.Int).Sub(value, want).Mod(new(big.Int).Sub(value, want), bigPrime).Sign() != 0 {
		t.Fatalf("%s in lane %d is %x, want %x", what, j, value, want)
	}
	for i := range got {
		if limit := []uint64{1 << 52, 1 << 52, 1 << 52, 1 << 52, 1<<48 + 64}[i]; got[i][j] >= limit {
			t.Fatalf("%s in lane %d: limb %d is %x", what, j, i, got[i][j])
		}
	}
	var e Element
	if e = *got.Get(j, new(Element)); e.big().Cmp(value.Mod(value, bigPrime)) != 0 {
		t.Fatalf("%s in lane %d comes back as %x", what, j, e)
	}
}

// What Set makes of an element, Get gives back reduced; and Get takes whatever limbs there may be.
func TestElementsOfLanes(t *testing.T) {
	r, all := newRand(31), edgeElements()
	for range 5000 {
		l := edgeLanes(r, all)
		for j := range LaneCount {
			want := l.big(j)
			var e Element
			if l.Get(j, &e); e.big().Cmp(want.Mod(want, bigPrime)) != 0 {
				t.Fatalf("%x comes back as %x", want, e.big())
			}
		}
	}
	for i := range all {
		var l Lanes
		var e Element
		if l.Set(3, &all[i]); l.big(3).Cmp(all[i].big()) != 0 {
			t.Fatalf("%x was set to %x", all[i].big(), l.big(3))
		}
		if l.Get(3, &e); e != *all[i].Reduce() {
			t.Fatalf("%x came back as %x", all[i], e)
		}
		if l.Set(3, &Element{}); l != (Lanes{}) {
			t.Fatal("another lane was set")
		}
	}
}

func FuzzLanes(f *testing.F) {
	r, all := newRand(32), edgeElements()
	for range 4 {
		var b []byte
		for _, l := range []*Lanes{edgeLanes(r, all), edgeLanes(r, all)} {
			for i := range l {
				for j := range l[i] {
					b = binary.LittleEndian.AppendUint64(b, l[i][j])
				}
			}
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var in [2]Lanes
		for n := range 2 * 5 * LaneCount {
			if len(b) < 8 {
				break
			}
			in[n/(5*LaneCount)][n/LaneCount%5][n%LaneCount] = binary.LittleEndian.Uint64(b) & mask52
			b = b[8:]
		}
		checkLanes(t, &in[0], &in[1])
	})
}
