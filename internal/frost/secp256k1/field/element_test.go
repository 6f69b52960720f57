package field

import (
	"math/big"
	"testing"
)

var bigPrime = prime.big()

func (e *Element) big() *big.Int { return new(big.Int).SetBytes(e.AppendBytes(nil)) }

// edgeElements are those around which carries and reductions go wrong, elements
// above p among them.
func edgeElements() []Element {
	var out []Element
	for i := range 4 {
		for _, limb := range []uint64{0, 1, 1 << 63, 1<<64 - 1} {
			for _, rest := range []uint64{0, 1<<64 - 1} {
				e := Element{rest, rest, rest, rest}
				e[i] = limb
				out = append(out, e)
			}
		}
	}
	for delta := range uint64(3) {
		out = append(out, Element{prime[0] - delta, prime[1], prime[2], prime[3]},
			Element{prime[0] + delta, prime[1], prime[2], prime[3]},
			Element{-delta, 1<<64 - 1, 1<<64 - 1, 1<<64 - 1}, Element{-(976 + delta), 1<<64 - 1, 1<<64 - 1, 1<<64 - 1},
			Element{-(1<<33 + delta), 1<<64 - 1, 1<<64 - 1, 1<<64 - 1},
			Element{fold - delta}, Element{fold + delta}, Element{fold - delta, 0, 0, 1 << 63})
	}
	r := newRand(4)
	for range 40 {
		out = append(out, Element{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()})
	}
	return out
}

func TestField(t *testing.T) {
	all := edgeElements()
	for i := range all {
		for j := range all {
			checkBinary(t, all[i], all[j])
		}
		checkUnary(t, all[i])
	}
}

func TestNegateIf(t *testing.T) {
	for _, a := range edgeElements() {
		if a.ReduceVartime().IsZeroVartime() {
			continue
		}
		var got, want Element
		if *got.NegateIf(&a, 0) != a || *got.NegateIf(&a, 1<<64-1) != *want.Negate(&a).ReduceVartime() {
			t.Errorf("-%x is %x", a.big(), got.big())
		}
	}
}

// What is branch-free does what is not.
func TestConstantTime(t *testing.T) {
	for _, a := range append(edgeElements(), prime) {
		checkConstantTime(t, a)
	}
}

func checkConstantTime(t *testing.T, a Element) {
	t.Helper()
	got, want := a, a
	if *got.Reduce() != *want.ReduceVartime() {
		t.Fatalf("%x reduced is %x", a.big(), got.big())
	}
	mask := uint64(0)
	if a.IsZeroVartime() {
		mask--
	}
	if a.ZeroMask() != mask {
		t.Fatalf("the mask of %x is %x", a.big(), a.ZeroMask())
	}
	if got = a; *got.OneIf(0) != a || *got.OneIf(1<<64 - 1) != (Element{1}) {
		t.Fatalf("%x has become %x", a.big(), got.big())
	}
}

func checkBinary(t *testing.T, a, b Element) {
	t.Helper()
	for name, op := range map[string]struct {
		ours   func(e, a, b *Element) *Element
		theirs func(z, x, y *big.Int) *big.Int
	}{
		"add":          {(*Element).Add, (*big.Int).Add},
		"sub":          {(*Element).Sub, (*big.Int).Sub},
		"mul":          {(*Element).Mul, (*big.Int).Mul},
		"mul of limbs": {(*Element).mulLimbs, (*big.Int).Mul}, // the same where there is no assembly
	} {
		want := op.theirs(new(big.Int), a.big(), b.big())
		want.Mod(want, bigPrime)
		got := *op.ours(new(Element), &a, &b)
		if got.ReduceVartime().big().Cmp(want) != 0 {
			t.Fatalf("%s of %x and %x gives %x, want %x", name, a.big(), b.big(), got.big(), want)
		}
		// The result may go where an argument is.
		first, second := a, b
		if *op.ours(&first, &first, &second).ReduceVartime() != got {
			t.Fatalf("%s overwrites its first argument too early", name)
		}
		first = a
		if *op.ours(&second, &first, &second).ReduceVartime() != got {
			t.Fatalf("%s overwrites its second argument too early", name)
		}
	}
}

func checkUnary(t *testing.T, a Element) {
	t.Helper()
	x := new(big.Int).Mod(a.big(), bigPrime)
	check := func(name string, got *Element, want *big.Int) {
		t.Helper()
		if got.ReduceVartime().big().Cmp(want.Mod(want, bigPrime)) != 0 {
			t.Fatalf("%s of %x gives %x, want %x", name, a.big(), got.big(), want)
		}
	}
	check("square", new(Element).Square(&a), new(big.Int).Mul(x, x))
	check("square of limbs", new(Element).squareLimbs(&a), new(big.Int).Mul(x, x))
	check("negate", new(Element).Negate(&a), new(big.Int).Neg(x))
	check("half", new(Element).Half(&a), new(big.Int).Mul(x, new(big.Int).ModInverse(big.NewInt(2), bigPrime)))
	if a.IsZeroVartime() != (x.Sign() == 0) {
		t.Fatalf("IsZeroVartime of %x is wrong", a.big())
	}
	if x.Sign() != 0 {
		check("invert", new(Element).Invert(&a), new(big.Int).ModInverse(x, bigPrime))
	}
	root := new(Element)
	if got := root.SqrtVartime(&a); got != (big.Jacobi(x, bigPrime) >= 0) {
		t.Fatalf("sqrt of %x says %v", a.big(), got)
	} else if got {
		check("sqrt squared", root.Square(root), x)
	}
	var e Element
	if b := a.AppendBytes(nil); e.SetBytesVartime(b) != (a.big().Cmp(bigPrime) < 0) {
		t.Fatalf("SetBytesVartime accepts %x, or refuses it, wrongly", b)
	}
}

func TestInvertAll(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100} {
		r := newRand(5)
		es := make([]Element, n)
		for i := range es {
			es[i] = Element{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		}
		inverses := append([]Element(nil), es...)
		InvertAll(inverses, make([]Element, n))
		for i := range es {
			if *es[i].Mul(&es[i], &inverses[i]).ReduceVartime() != (Element{1}) {
				t.Fatalf("%d of %d is not inverted", i, n)
			}
		}
	}
}

func FuzzField(f *testing.F) {
	f.Add(uint64(1<<64-1), uint64(1<<64-1), uint64(1<<64-1), uint64(1<<64-1),
		uint64(fold), uint64(0), uint64(0), uint64(1<<63))
	f.Fuzz(func(t *testing.T, a, b, c, d, e, f, g, h uint64) {
		checkBinary(t, Element{a, b, c, d}, Element{e, f, g, h})
		checkUnary(t, Element{a, b, c, d})
		checkConstantTime(t, Element{a, b, c, d})
	})
}
