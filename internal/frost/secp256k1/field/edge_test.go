package field

import (
	"math/big"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// Tests at the edges that random inputs don't come near: carries with a chance
// of 2^-190.

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func elementOf(n *big.Int) (e Element) {
	e.SetBytesVartime(n.FillBytes(make([]byte, 32)))
	return e
}

// edgeElement is made of limbs that carry, or don't by one.
func edgeElement(r *rand.Rand) (e Element) {
	edges := []uint64{0, 1, 2, fold - 1, fold, fold + 1, 1 << 32, 1 << 63, -fold & (1<<64 - 1), 1<<64 - 2, 1<<64 - 1}
	for i := range e {
		if e[i] = edges[r.IntN(len(edges))]; r.IntN(8) == 0 {
			e[i] = r.Uint64()
		}
	}
	return e
}

// highHalf is the upper half of a product whose folding carries from limb to
// limb, or fails to by one: the low half of each limb times fold is chosen so
// that it and the high half of the one before make about 2^64, which happens by
// chance once in 2^31.
func highHalf(r *rand.Rand) (h Element) {
	inverse := uint64(1) // of fold modulo 2^64
	for range 6 {
		inverse *= 2 - fold*inverse
	}
	h[0] = -r.Uint64() >> r.IntN(3)
	for i := 1; i < 4; i++ {
		high, _ := bits.Mul64(h[i-1], fold)
		low := [...]uint64{-high, -high - 1, -high + 1, 1<<64 - 1, r.Uint64()}[r.IntN(5)]
		h[i] = low * inverse
	}
	return h
}

func TestCarriesOfFolding(t *testing.T) {
	r := newRand(19)
	for range 6000 {
		high := highHalf(r)
		n := high.big()
		// a² and a·b have this upper half or one that is larger by 2 at most.
		n.Lsh(n, 256)
		a := elementOf(new(big.Int).Sqrt(n))
		checkSquare(t, a)
		b := Element{r.Uint64(), r.Uint64(), r.Uint64(), 1<<64 - 1}
		if n.Div(n, b.big()).Add(n, big.NewInt(1)); n.Cmp(bigPrime) < 0 {
			checkBinary(t, elementOf(n), b)
		}
	}
}

func checkSquare(t *testing.T, a Element) {
	t.Helper()
	want := new(big.Int).Mul(a.big(), a.big())
	if got := *new(Element).Square(&a); got.ReduceVartime().big().Cmp(want.Mod(want, bigPrime)) != 0 {
		t.Fatalf("the square of %x is wrong", a.big())
	}
}

// The last carry of a reduction comes only if a product is just above a
// multiple of p, and goes on to the second limb only if it is just above 2^64
// besides, of numbers just below p: (-u)·(-v).
func TestLastCarryOfProducts(t *testing.T) {
	for du := range uint64(400) {
		u := 1<<32 + 20*du - 4000
		for dv := range uint64(5) {
			v := (1<<64-1)/u + dv - 1
			var a, b Element
			a.Negate(&Element{u})
			b.Negate(&Element{v})
			checkBinary(t, a, b)
		}
		var a Element
		a.Negate(&Element{1<<32 + du - 200})
		checkSquare(t, a)
	}
}

// Products that come out at an edge: b is target/a.
func TestProductsAtEdges(t *testing.T) {
	r := newRand(20)
	for range 4000 {
		a, target := edgeElement(r), edgeElement(r)
		if a.IsZeroVartime() {
			continue
		}
		b := new(big.Int).ModInverse(new(big.Int).Mod(a.big(), bigPrime), bigPrime)
		checkBinary(t, a, elementOf(b.Mul(b, target.big()).Mod(b, bigPrime)))
		checkBinary(t, a, target)
		checkSquare(t, a)
	}
	for range 100 {
		checkUnary(t, edgeElement(r))
	}
}
