package edwards25519

import (
	"math/rand/v2"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// Many short sums are those that curve25519-voi computes one by one, of extreme scalars, and of points
// that are the identity, of small or of mixed order, the same or opposite ones.
func TestMultiScalarMults(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(15, 15))
	scalars := edges(t)
	some := []*Scalar{scalars[0], scalars[1], scalars[2], scalars[3], scalars[5], scalars[len(scalars)-1]}
	for _, terms := range []int{0, 1, 2, 3, 16} {
		for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 20, 30} {
			out, of, points := make([]Point, n), make([]Scalar, n*terms), make([]Point, n*terms)
			for i := range of {
				of[i].Set(scalars[r.IntN(len(scalars))])
				if r.IntN(2) == 0 {
					of[i].Set(some[r.IntN(len(some))])
				}
				points[i].Set(BaseMult(some[r.IntN(len(some))]))
				if r.IntN(3) == 0 {
					points[i].Add(&points[i], curve.EIGHT_TORSION[r.IntN(8)])
				}
			}
			MultiScalarMultsVartime(out, of, Affines(points))
			for i := range out {
				factors, parts := make([]*Scalar, terms), make([]*Point, terms)
				for j := range parts {
					factors[j], parts[j] = &of[i*terms+j], &points[i*terms+j]
				}
				want := curve.NewEdwardsPoint().MultiscalarMulVartime(factors, parts)
				if out[i].Equal(want) != 1 {
					t.Fatalf("sum %d of %d, of %d terms, is wrong", i, n, terms)
				}
				var sum, wantSum Point
				if sum.Add(&out[i], want).Equal(wantSum.Add(want, want)) != 1 {
					t.Fatalf("sum %d of %d, of %d terms, can't be added", i, n, terms)
				}
			}
		}
	}
}

func TestMultiScalarMultsRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]int{{1, 2, 1}, {1, 1, 2}, {2, 3, 3}, {0, 1, 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v are taken", c)
				}
			}()
			MultiScalarMultsVartime(make([]Point, c[0]), make([]Scalar, c[1]), make([]Affine, c[2]))
		}()
	}
}
