package edwards25519

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"testing"

	"filippo.io/edwards25519"
)

// eighth is a point of order 8: its multiples are all points of small order.
func eighth(t testing.TB) *edwards25519.Point {
	t.Helper()
	b, err := hex.DecodeString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	if err != nil {
		t.Fatal(err)
	}
	p, err := new(edwards25519.Point).SetBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// times is k times the point of order 8.
func times(t testing.TB, k int) *edwards25519.Point {
	t.Helper()
	p, e := edwards25519.NewIdentityPoint(), eighth(t)
	for range k {
		p.Add(p, e)
	}
	return p
}

func toAffine(t testing.TB, p *edwards25519.Point) Affine {
	t.Helper()
	a, err := DecodeAffine(p.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func uniformScalar(t testing.TB, size int) [ScalarSize]byte {
	t.Helper()
	var b [64]byte
	_, _ = rand.Read(b[:size])
	s, err := new(edwards25519.Scalar).SetUniformBytes(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return [ScalarSize]byte(s.Bytes())
}

func baseTimes(t testing.TB, scalar [ScalarSize]byte) *edwards25519.Point {
	t.Helper()
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(scalar[:])
	if err != nil {
		t.Fatal(err)
	}
	return new(edwards25519.Point).ScalarBaseMult(s)
}

// randomPoints are of prime order.
func randomPoints(t testing.TB, count int) []*edwards25519.Point {
	t.Helper()
	points := make([]*edwards25519.Point, count)
	for i := range points {
		points[i] = baseTimes(t, uniformScalar(t, 64))
	}
	return points
}

func allAffine(t testing.TB, points []*edwards25519.Point) []Affine {
	t.Helper()
	out := make([]Affine, len(points))
	for i := range points {
		out[i] = toAffine(t, points[i])
	}
	return out
}

// The sum is small exactly if filippo.io/edwards25519's is, for any number of points, with
// long and short scalars and the extreme ones.
func TestSumIsSmall(t *testing.T) {
	t.Parallel()
	last := EncodeScalar(minusOne)
	for _, count := range []int{0, 1, 2, 3, 10, 50, 300} {
		points, scalars := randomPoints(t, count), make([][ScalarSize]byte, count)
		sum := edwards25519.NewIdentityPoint()
		for i := range points {
			scalars[i] = uniformScalar(t, []int{64, 16, 1}[i%3])
			switch i % 11 {
			case 7:
				scalars[i] = last
			case 9:
				scalars[i] = [ScalarSize]byte{}
			}
			s, err := new(edwards25519.Scalar).SetCanonicalBytes(scalars[i][:])
			if err != nil {
				t.Fatal(err)
			}
			sum.Add(sum, new(edwards25519.Point).ScalarMult(s, points[i]))
		}
		scalars = append(scalars, last)
		for k := range 8 { // what is left is of small order
			points := append(allAffine(t, points), toAffine(t, new(edwards25519.Point).Add(sum, times(t, k))))
			if !SumIsSmallVartime(scalars, points) {
				t.Errorf("%d points and their sum, but for one of small order %d: the difference is not small", count, k)
			}
		}
		wrong := new(edwards25519.Point).Add(sum, edwards25519.NewGeneratorPoint())
		if SumIsSmallVartime(scalars, append(allAffine(t, points), toAffine(t, wrong))) {
			t.Errorf("%d points and another sum: the difference is small", count)
		}
	}
}

// Torsion of every order, on one, two and all points, also where it cancels in the sum of
// them all, is found; points without it pass.
func TestTorsionFree(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 2, 8, manySubsets - 1, manySubsets, manyForBytes - 1, manyForBytes, 700} {
		points := randomPoints(t, count)
		points[mathrand.IntN(count)] = edwards25519.NewIdentityPoint()
		good := allAffine(t, points)
		if !TorsionFreeVartime(rand.Reader, good) || !TorsionFreeVartime(rand.Reader, nil) {
			t.Fatalf("%d points of prime order: refused", count)
		}
		spoil := func(name string, by func(i int) int) {
			bad := allAffine(t, points)
			for i := range bad {
				if k := by(i); k%8 != 0 {
					bad[i] = toAffine(t, new(edwards25519.Point).Add(points[i], times(t, k)))
				}
			}
			if TorsionFreeVartime(rand.Reader, bad) {
				t.Errorf("%d points, %s: not found", count, name)
			}
		}
		for k := 1; k < 8; k++ {
			at := mathrand.IntN(count)
			spoil(fmt.Sprintf("%d eighths at one", k), func(i int) int {
				if i == at {
					return k
				}
				return 0
			})
			spoil(fmt.Sprintf("%d eighths at all", k), func(int) int { return k })
			if count > 1 {
				spoil(fmt.Sprintf("%d eighths at two, which cancel", k), func(i int) int {
					return []int{k, 8 - k, 0}[min(i, 2)]
				})
			}
			if count%2 == 0 {
				spoil(fmt.Sprintf("%d eighths at all, which cancel", k), func(i int) int { return []int{k, 8 - k}[i%2] })
			}
		}
	}
}

// Every one of the 64 bits of a point decides about one subset, and that is looked at.
func TestSubsetsAreIndependent(t *testing.T) {
	t.Parallel()
	points := allAffine(t, randomPoints(t, 2))
	points[1] = toAffine(t, times(t, 4))
	terms := []cached{points[0].cache(), points[1].cache()}
	for _, width := range []int{4, 8} {
		for bit := range subsets {
			bits := make([]byte, 16)
			if !subsetsTorsionFree(terms, bits, width) {
				t.Fatal("subsets without points have torsion")
			}
			bits[8+bit/8] = 1 << (bit % 8)
			if subsetsTorsionFree(terms, bits, width) {
				t.Errorf("the point is in subset %d of %d at a time alone, and its torsion is not found", bit, width)
			}
			bits[bit/8] = 1 << (bit % 8)
			bits[8+bit/8] = 0
			if !subsetsTorsionFree(terms, bits, width) {
				t.Errorf("the other point in subset %d: torsion is found", bit)
			}
		}
	}
}

// Without random bits nothing is known of many points.
func TestTorsionWithoutRandomness(t *testing.T) {
	t.Parallel()
	points := allAffine(t, randomPoints(t, manySubsets))
	if TorsionFreeVartime(bytes.NewReader(make([]byte, subsets/8*manySubsets-1)), points) {
		t.Error("too few random bits, and nothing is found")
	}
}

func TestAddSmallMults(t *testing.T) {
	t.Parallel()
	points, of, by := randomPoints(t, 8), randomPoints(t, 8), []byte{0, 1, 2, 3, 4, 5, 6, 7}
	of[5].Add(of[5], eighth(t))
	got := allAffine(t, points)
	AddSmallMultsVartime(got, allAffine(t, of), by)
	for i := range points {
		want := points[i]
		for range by[i] {
			want.Add(want, of[i])
		}
		if want := toAffine(t, want); got[i].Encode() != want.Encode() {
			t.Errorf("%d times a point: %x, want %x", by[i], got[i].Encode(), want.Encode())
		}
	}
}

func TestIsSmall(t *testing.T) {
	t.Parallel()
	for k := range 8 {
		p := toAffine(t, times(t, k))
		if !p.IsSmall() {
			t.Errorf("%d eighths: not small", k)
		}
		mixed := toAffine(t, new(edwards25519.Point).Add(randomPoints(t, 1)[0], times(t, k)))
		if mixed.IsSmall() {
			t.Errorf("%d eighths and a point of prime order: small", k)
		}
	}
}

// Every encoding of a point is read as it is or refused.
func TestDecodeAffine(t *testing.T) {
	t.Parallel()
	for k := range 8 {
		p := times(t, k).Bytes()
		if got := toAffine(t, times(t, k)); [PointSize]byte(p) != got.Encode() {
			t.Errorf("%x became %x", p, got.Encode())
		}
	}
	for _, text := range []string{
		"", "01",
		"0100000000000000000000000000000000000000000000000000000000000080", // -0
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", // (-0, -1)
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p + 1
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p
		"0200000000000000000000000000000000000000000000000000000000000000", // off the curve
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeAffine(b); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}

func BenchmarkTorsionFree(b *testing.B) {
	for _, count := range []int{1, 40, 79, 80, 150, 255, 256, 500, 1000} {
		points := allAffine(b, randomPoints(b, count))
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			for b.Loop() {
				if !TorsionFreeVartime(rand.Reader, points) {
					b.Fatal("refused")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/point")
		})
	}
}
