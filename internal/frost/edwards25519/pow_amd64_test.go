//go:build amd64 && !purego

package edwards25519

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"testing"

	"filippo.io/edwards25519/field"
)

// Products and squares hold whatever limbs below 2^52 come in, and so do the limbs that go out.
func TestLanes(t *testing.T) {
	t.Parallel()
	needLanes(t)
	r := rand.New(rand.NewPCG(6, 6))
	limb := func() uint64 {
		switch r.IntN(4) {
		case 0:
			return 1<<52 - 1
		case 1:
			return uint64(r.IntN(3))
		}
		return r.Uint64() >> 12
	}
	for range 300 {
		var x, y, z, square lanes
		for i := range x {
			for j := range x[i] {
				x[i][j], y[i][j] = limb(), limb()
			}
		}
		if r.IntN(10) == 0 {
			for i := range x {
				for j := range x[i] {
					x[i][j], y[i][j] = 1<<52-1, 1<<52-1
				}
			}
		}
		multiplyIFMA(&z, &x, &y)
		squareIFMA(&square, &x, 3)
		for j := range 8 {
			a, b := x.value(j), y.value(j)
			b.Mod(b.Mul(a, b), prime)
			if z.value(j).Cmp(b) != 0 {
				t.Fatalf("lane %d: a wrong product", j)
			}
			if a.Exp(a, big.NewInt(8), prime); square.value(j).Cmp(a) != 0 {
				t.Fatalf("lane %d: a wrong square", j)
			}
			for i := range z {
				if z[i][j] >= 1<<51+1<<15 || square[i][j] >= 1<<51+1<<15 {
					t.Fatalf("lane %d: limb %d is too large", j, i)
				}
			}
		}
		multiplyIFMA(&y, &y, &x) // in place
		squareIFMA(&x, &x, 3)
		if y != z || x != square {
			t.Fatal("in place the result is another one")
		}
		e := edgeElements(r, 1)[0]
		z.get(0, &e)
		if x.set(0, &e); x.value(0).Cmp(z.value(0)) != 0 {
			t.Fatal("an element does not come back")
		}
	}
}

func TestPow(t *testing.T) {
	t.Parallel()
	needLanes(t)
	all := edgeElements(rand.New(rand.NewPCG(5, 5)), 400)
	for from := 0; from+8 <= len(all); from += 7 {
		var x lanes
		for i := range 8 {
			x.set(i, &all[from+i])
		}
		x.pow22523(new([3]lanes))
		for i := range 8 {
			var got field.Element
			x.get(i, &got)
			if got.Equal(new(field.Element).Pow22523(&all[from+i])) != 1 {
				t.Fatalf("power %d is wrong", from+i)
			}
		}
	}
}

var prime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

func (l *lanes) value(j int) *big.Int {
	sum := new(big.Int)
	for i := len(l) - 1; i >= 0; i-- {
		sum.Add(sum.Lsh(sum, 51), new(big.Int).SetUint64(l[i][j]))
	}
	return sum.Mod(sum, prime)
}

// What lanes take for canonical is what the field does.
func TestIsCanonical(t *testing.T) {
	t.Parallel()
	for _, first := range []byte{0, 1, 0xeb, 0xec, 0xed, 0xee, 0xff} {
		for at := range 33 {
			for _, last := range []byte{0x7f, 0xff, 0x3f, 0x7e, 0xfe} {
				b := bytes.Repeat([]byte{0xff}, 32)
				b[0], b[31] = first, last
				if at > 0 && at < 31 {
					b[at]--
				}
				lower := bytes.Clone(b)
				lower[31] &= 0x7f
				if got := isCanonical(b); got != setCanonical(new(field.Element), lower) {
					t.Errorf("%x: %v", b, got)
				}
			}
		}
	}
}
