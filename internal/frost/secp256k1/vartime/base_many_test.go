package vartime

import (
	"fmt"
	"slices"
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// Sums by any method, in any number, with the edges of the digits, points that are the
// identity, and points that a partial sum meets or cancels.
func TestAddBaseMults(t *testing.T) {
	r := newRand(11)
	var scalars []*Scalar
	var points []Point
	for _, s := range edgeScalars() {
		minus := secp.NewScalar().Negate(s)
		half := affineMult(lowDigits(s))
		for _, p := range []Point{
			{}, generator, generator.Negate(), affineMult(s), affineMult(minus),
			affineMult(randomScalar(r, 256)), affineMult(randomScalar(r, 8)),
			half.Negate(),
		} {
			scalars, points = append(scalars, s), append(points, p)
		}
	}
	for range 100 {
		scalars, points = append(scalars, randomScalar(r, 256)), append(points, affineMult(randomScalar(r, 256)))
	}
	want := make([]Point, len(points))
	for i := range want {
		sum := BaseMult(scalars[i])
		want[i] = Affine(*sum.AddPoint(&points[i]))[0]
	}
	for _, n := range []int{0, 1, manyBases - 1, manyBases, 255, 256, 257, len(points)} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for from := 0; from+n <= len(points) && from < 400; from += max(n, 1) {
				got := slices.Clone(points[from : from+n])
				AddBaseMults(got, scalars[from:from+n])
				for i := range got {
					if got[i] != want[from+i] {
						t.Fatalf("point %d: %v", from+i, got[i])
					}
				}
			}
		})
	}
	defer func() {
		if recover() == nil {
			t.Error("different lengths are taken")
		}
	}()
	AddBaseMults(points, scalars[1:])
}

// affineMult is s·G, by secp256k1-voi.
func affineMult(s *Scalar) Point {
	return FromPoint(secp.NewIdentityPoint().ScalarBaseMult(s))
}

// lowDigits is the lower half of s: what a sum has passed midway.
func lowDigits(s *Scalar) *Scalar {
	b := [32]byte(s.Bytes())
	clear(b[:16])
	low, _ := secp.NewScalarFromBytes(&b)
	return low
}

func BenchmarkAddBaseMults(b *testing.B) {
	r := newRand(3)
	for _, n := range []int{1, 8, 16, 64, 256, 1000} {
		scalars, points, _ := randomTerms(r, n, 256)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				AddBaseMults(points, scalars)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/point")
		})
	}
}
