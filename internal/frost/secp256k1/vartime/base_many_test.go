package vartime

import (
	"fmt"
	"slices"
	"sync"
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
		low, next := splitDigits(s, r.IntN(baseLast+1))
		sum := secp.NewScalar().Add(low, next)
		for _, p := range []Point{
			{}, generator, generator.Negate(), affineMult(s), affineMult(minus),
			affineMult(randomScalar(r, 256)), affineMult(randomScalar(r, 8)),
			affineMult(low.Negate(low)),     // which is 0 midway
			affineMult(next.Add(next, low)), // which is doubled next
			affineMult(sum.Negate(sum)),     // which is 0 next
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

// The same by single elements, where it was in lanes, and the other way round.
func TestAddBaseMultsTheOtherWay(t *testing.T) {
	fastLanes = !fastLanes
	t.Cleanup(func() { fastLanes = !fastLanes })
	TestAddBaseMults(t)
}

// affineMult is s·G, by secp256k1-voi.
func affineMult(s *Scalar) Point {
	return FromPoint(secp.NewIdentityPoint().ScalarBaseMult(s))
}

// splitDigits returns what the digits of s below a position add up to, and what the next
// one adds.
func splitDigits(s *Scalar, pos int) (low, next *Scalar) {
	low, next = secp.NewScalar(), secp.NewScalar()
	for at, d := range digitsOf(s) {
		switch term := digitTerm(at, d); {
		case at < pos:
			low.Add(low, term)
		case at == pos:
			next = term
		}
	}
	return low, next
}

func digitsOf(s *Scalar) []int16 {
	digits := make([]int16, baseLast+1)
	baseDigits(s, digits, 1)
	return digits
}

// digitTerm is d·2^(13·pos).
func digitTerm(pos int, d int16) *Scalar {
	term := secp.NewScalarFromUint64(uint64(magnitude(d)))
	if term.Multiply(term, digitBases()[pos]); d < 0 {
		term.Negate(term)
	}
	return term
}

// digitBases are 2^(13·pos).
var digitBases = sync.OnceValue(func() (bases [baseLast + 1]*Scalar) {
	power := secp.NewScalarFromUint64(1)
	for pos := range bases {
		bases[pos] = secp.NewScalar().Set(power)
		for range baseBits {
			power.Add(power, power)
		}
	}
	return bases
})

// Digits add up to their scalar, and each has a place in its row of the table.
func TestBaseDigits(t *testing.T) {
	scalars := edgeScalars()
	for pos := range baseLast + 1 {
		for _, d := range []int16{1, baseDigit - 1, baseDigit} {
			s := digitTerm(pos, d)
			scalars = append(scalars, s, secp.NewScalar().Negate(s), secp.NewScalar().Add(s, secp.NewScalarFromUint64(1)))
		}
	}
	for _, s := range scalars {
		sum := secp.NewScalar()
		for pos, d := range digitsOf(s) {
			if magnitude(d) > len(wideTable()[pos]) {
				t.Errorf("%x: digit %d is %d", s.Bytes(), pos, d)
			}
			sum.Add(sum, digitTerm(pos, d))
		}
		if sum.Equal(s) != 1 {
			t.Errorf("the digits of %x add up to %x", s.Bytes(), sum.Bytes())
		}
	}
}

// The table is that of secp256k1-voi.
func TestWideTable(t *testing.T) {
	for pos, row := range wideTable() {
		for _, j := range []int{1, 2, 3, len(row)/2 + 1, len(row) - 1, len(row)} {
			if row[j-1] != affineMult(digitTerm(pos, int16(j))) {
				t.Errorf("position %d, %d", pos, j)
			}
		}
	}
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
