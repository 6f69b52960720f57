package edwards25519

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// affineOf is a point of another library's in affine coordinates, the identity too.
func affineOf(t testing.TB, p *Point) Affine {
	t.Helper()
	b := Encode(p)
	var a Affine
	if !a.SetBytes(b[:]) && !p.IsIdentity() {
		t.Fatalf("%x is taken for no point", b)
	}
	return a
}

func anyScalar(t testing.TB) Scalar {
	t.Helper()
	s, err := scalar.New().SetRandom(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return *s
}

// edgeScalars are where recoding goes wrong, and some at random.
func edgeScalars(t testing.TB, count int) []Scalar {
	minus := scalar.New().Neg(scalar.NewFromUint64(1))
	out := []Scalar{*scalar.New(), *scalar.NewFromUint64(1), *scalar.NewFromUint64(2), *minus,
		*scalar.New().Sub(minus, scalar.NewFromUint64(1)), *scalar.NewFromUint64(1<<64 - 1),
		*scalar.NewFromUint64(15), *scalar.NewFromUint64(16), *scalar.NewFromUint64(31)}
	for len(out) < count {
		out = append(out, anyScalar(t))
	}
	return out[:count]
}

func TestSums(t *testing.T) {
	for _, n := range []int{1, 2, 16} {
		var points []Affine
		var others []*Point
		for i := range 3 * n {
			s := anyScalar(t)
			if p := BaseMult(&s); i%5 == 4 { // the negative of the one before
				others = append(others, curve.NewEdwardsPoint().Neg(others[i-1]))
			} else {
				others = append(others, p)
			}
			points = append(points, affineOf(t, others[i]))
		}
		out := make([]Affine, 3)
		SumsVartime(out, points)
		for i := range out {
			if want := Encode(curve.NewEdwardsPoint().Sum(others[i*n : i*n+n])); out[i].Encode() != want {
				t.Errorf("%d points: %x, want %x", n, out[i].Encode(), want)
			}
		}
	}
}

func TestBaseMults(t *testing.T) {
	scalars := edgeScalars(t, 40)
	points := make([]Affine, len(scalars))
	BaseMults(points, scalars)
	for i := range points {
		if want := Encode(BaseMult(&scalars[i])); points[i].Encode() != want {
			t.Errorf("%d: %x, want %x", i, points[i].Encode(), want)
		}
		eighth := scalars[i]
		DivideByCofactor(&eighth)
		divided := make([]Affine, 1)
		BaseMults(divided, []Scalar{eighth})
		if MulByCofactor(divided); divided[0] != points[i] && !divided[0].Equal(&points[i]) {
			t.Errorf("%d: 8 times an eighth is %x", i, divided[0].Encode())
		}
	}
}

// Coordinates of each point of small and of mixed order are read, and 8 times it is of
// prime order or the identity: nothing of the torsion is left.
func TestTorsionIsGone(t *testing.T) {
	s := anyScalar(t)
	var eighth Scalar
	eighth.Mul(&s, inverseOfEight)
	for i, torsion := range curve.EIGHT_TORSION {
		for _, p := range []*Point{torsion, curve.NewEdwardsPoint().Add(torsion, BaseMult(&eighth))} {
			points := slices.Repeat([]Affine{coordinatesOf(t, p)}, 1+3*(i%2)) // alone, and in lanes
			MulByCofactor(points)
			want := Encode(curve.NewEdwardsPoint().MulByCofactor(p))
			if points[0].Encode() != want {
				t.Errorf("torsion %d: %x, want %x", i, points[0].Encode(), want)
			}
			if p != torsion && points[0].Encode() != Encode(BaseMult(&s)) {
				t.Errorf("torsion %d is left", i)
			}
		}
	}
}

// coordinatesOf goes over the wire.
func coordinatesOf(t testing.TB, p *Point) (a Affine) {
	t.Helper()
	b := Encode(p)
	if !a.SetBytes(b[:]) && !p.IsIdentity() {
		t.Fatalf("%x is no point", b)
	}
	var back Affine
	if wire := a.AppendCoordinates(nil); !back.SetCoordinates(wire) || !back.Equal(&a) {
		t.Fatalf("the coordinates of %x are refused", b)
	}
	return back
}

func TestCoordinatesRefuse(t *testing.T) {
	s := anyScalar(t)
	point := affineOf(t, BaseMult(&s))
	good := point.AppendCoordinates(nil)
	change := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	p := append([]byte{0xed}, append(bytes.Repeat([]byte{0xff}, 30), 0x7f)...)
	for name, b := range map[string][]byte{
		"nothing": nil, "short": good[:63], "long": append(bytes.Clone(good), 0),
		"zeros":          make([]byte, 64),
		"ones":           bytes.Repeat([]byte{255}, 64),
		"off the curve":  change(func(b []byte) { b[0] ^= 1 }),
		"another y":      change(func(b []byte) { b[40] ^= 1 }),
		"swapped":        append(bytes.Clone(good[32:]), good[:32]...),
		"high bit of x":  change(func(b []byte) { b[31] |= 0x80 }),
		"high bit of y":  change(func(b []byte) { b[63] |= 0x80 }),
		"x not reduced":  append(bytes.Clone(p), append([]byte{1}, make([]byte, 31)...)...),
		"y of p":         append(make([]byte, 32), p...),
		"y of p and one": append(make([]byte, 32), append([]byte{0xee}, p[1:]...)...),
	} {
		if new(Affine).SetCoordinates(b) {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzCoordinates(f *testing.F) {
	s := anyScalar(f)
	point := affineOf(f, BaseMult(&s))
	f.Add(point.AppendCoordinates(nil))
	f.Add(append(make([]byte, 32), append([]byte{1}, make([]byte, 31)...)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Affine
		if !p.SetCoordinates(b) {
			return
		}
		encoded := p.Encode()
		other, err := decompress(encoded[:])
		if err != nil || Encode(other) != encoded || !bytes.Equal(p.AppendCoordinates(nil), b) {
			t.Fatalf("%x is a point for us alone: %v", b, err)
		}
	})
}

// SetBytes reads what other code reads, but for the identity.
func FuzzSetBytes(f *testing.F) {
	s := anyScalar(f)
	for _, p := range append(curve.EIGHT_TORSION[:], BaseMult(&s)) {
		b := Encode(p)
		f.Add(b[:])
	}
	f.Add(append([]byte{1}, append(make([]byte, 30), 0x80)...))
	f.Add(append([]byte{0xee}, append(bytes.Repeat([]byte{0xff}, 30), 0x7f)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Affine
		got := p.SetBytes(b)
		other, err := DecodeTrusted(b)
		if got != (err == nil) || got && (p.Encode() != Encode(other) || !bytes.Equal(b, encodingOf(other))) {
			t.Fatalf("%x: %v, elsewhere %v", b, got, err)
		}
	})
}

func encodingOf(p *Point) []byte { b := Encode(p); return b[:] }
