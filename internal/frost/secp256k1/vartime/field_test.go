package vartime

import (
	"math/big"
	"testing"
)

var bigPrime = prime.big()

func (e *element) big() *big.Int { return new(big.Int).SetBytes(e.appendBytes(nil)) }

// edgeElements are those around which carries and reductions go wrong, elements
// above p among them.
func edgeElements() []element {
	var out []element
	for i := range 4 {
		for _, limb := range []uint64{0, 1, 1 << 63, 1<<64 - 1} {
			for _, rest := range []uint64{0, 1<<64 - 1} {
				e := element{rest, rest, rest, rest}
				e[i] = limb
				out = append(out, e)
			}
		}
	}
	for delta := range uint64(3) {
		out = append(out, element{prime[0] - delta, prime[1], prime[2], prime[3]},
			element{prime[0] + delta, prime[1], prime[2], prime[3]},
			element{-delta, 1<<64 - 1, 1<<64 - 1, 1<<64 - 1}, element{-(976 + delta), 1<<64 - 1, 1<<64 - 1, 1<<64 - 1},
			element{-(1<<33 + delta), 1<<64 - 1, 1<<64 - 1, 1<<64 - 1},
			element{fold - delta}, element{fold + delta}, element{fold - delta, 0, 0, 1 << 63})
	}
	r := newRand(4)
	for range 40 {
		out = append(out, element{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()})
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
		if a.reduce().isZero() {
			continue
		}
		var got, want element
		if *got.negateIf(&a, false) != a || *got.negateIf(&a, true) != *want.negate(&a).reduce() {
			t.Errorf("-%x is %x", a.big(), got.big())
		}
	}
}

func checkBinary(t *testing.T, a, b element) {
	t.Helper()
	for name, op := range map[string]struct {
		ours   func(e, a, b *element) *element
		theirs func(z, x, y *big.Int) *big.Int
	}{
		"add": {(*element).add, (*big.Int).Add},
		"sub": {(*element).sub, (*big.Int).Sub},
		"mul": {(*element).mul, (*big.Int).Mul},
	} {
		want := op.theirs(new(big.Int), a.big(), b.big())
		want.Mod(want, bigPrime)
		got := *op.ours(new(element), &a, &b)
		if got.reduce().big().Cmp(want) != 0 {
			t.Fatalf("%s of %x and %x gives %x, want %x", name, a.big(), b.big(), got.big(), want)
		}
		// The result may go where an argument is.
		first, second := a, b
		if *op.ours(&first, &first, &second).reduce() != got {
			t.Fatalf("%s overwrites its first argument too early", name)
		}
		first = a
		if *op.ours(&second, &first, &second).reduce() != got {
			t.Fatalf("%s overwrites its second argument too early", name)
		}
	}
}

func checkUnary(t *testing.T, a element) {
	t.Helper()
	x := new(big.Int).Mod(a.big(), bigPrime)
	check := func(name string, got *element, want *big.Int) {
		t.Helper()
		if got.reduce().big().Cmp(want.Mod(want, bigPrime)) != 0 {
			t.Fatalf("%s of %x gives %x, want %x", name, a.big(), got.big(), want)
		}
	}
	check("square", new(element).square(&a), new(big.Int).Mul(x, x))
	check("negate", new(element).negate(&a), new(big.Int).Neg(x))
	check("half", new(element).half(&a), new(big.Int).Mul(x, new(big.Int).ModInverse(big.NewInt(2), bigPrime)))
	if a.isZero() != (x.Sign() == 0) {
		t.Fatalf("isZero of %x is wrong", a.big())
	}
	if x.Sign() != 0 {
		check("invert", new(element).invert(&a), new(big.Int).ModInverse(x, bigPrime))
	}
	root := new(element)
	if got := root.sqrt(&a); got != (big.Jacobi(x, bigPrime) >= 0) {
		t.Fatalf("sqrt of %x says %v", a.big(), got)
	} else if got {
		check("sqrt squared", root.square(root), x)
	}
	var e element
	if b := a.appendBytes(nil); e.setBytes(b) != (a.big().Cmp(bigPrime) < 0) {
		t.Fatalf("setBytes accepts %x, or refuses it, wrongly", b)
	}
}

func TestInvertAll(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100} {
		r := newRand(5)
		es := make([]element, n)
		for i := range es {
			es[i] = element{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		}
		inverses := append([]element(nil), es...)
		invertAll(inverses, make([]element, n))
		for i := range es {
			if *es[i].mul(&es[i], &inverses[i]).reduce() != one {
				t.Fatalf("%d of %d is not inverted", i, n)
			}
		}
	}
}

func FuzzField(f *testing.F) {
	f.Add(uint64(1<<64-1), uint64(1<<64-1), uint64(1<<64-1), uint64(1<<64-1),
		uint64(fold), uint64(0), uint64(0), uint64(1<<63))
	f.Fuzz(func(t *testing.T, a, b, c, d, e, f, g, h uint64) {
		checkBinary(t, element{a, b, c, d}, element{e, f, g, h})
		checkUnary(t, element{a, b, c, d})
	})
}
