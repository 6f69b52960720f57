package vartime

import (
	"fmt"
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// Every pair of what is special to an addition: the identity, equal points,
// opposite ones, others.
func TestAdditions(t *testing.T) {
	g := secp.NewGeneratorPoint()
	theirs := []*secp.Point{secp.NewIdentityPoint(), g,
		secp.NewIdentityPoint().Negate(g), secp.NewIdentityPoint().Double(g)}
	for i, p := range theirs {
		for j, q := range theirs {
			t.Run(fmt.Sprintf("%d+%d", i, j), func(t *testing.T) {
				want := FromPoint(secp.NewIdentityPoint().Add(p, q))
				a, b := FromPoint(p), FromPoint(q)
				sums := []Point{a}
				AddAll(sums, []Point{b})
				if sums[0] != want {
					t.Error("AddAll is wrong")
				}
				// In Jacobian coordinates, with Z other than 1.
				ja, jb := scaled(&a, 3), scaled(&b, 5)
				sum := ja
				if Affine(*sum.AddPoint(&b))[0] != want || !sum.Equals(&want) {
					t.Error("AddPoint is wrong")
				}
				sum = ja
				if Affine(*sum.Add(&jb))[0] != want || !sum.Equals(&want) {
					t.Error("Add is wrong")
				}
				if sum.IsIdentity() != want.IsIdentity() {
					t.Error("IsIdentity is wrong")
				}
				if other := FromPoint(secp.NewIdentityPoint().Add(q, theirs[1])); other != a && ja.Equals(&other) {
					t.Error("two points are equal")
				}
			})
		}
	}
}

// scaled returns p with Z = z.
func scaled(p *Point, z uint64) Jacobian {
	j := p.Jacobian()
	zz := element{z * z}
	j.x.Mul(&j.x, &zz)
	j.y.Mul(&j.y, zz.Mul(&zz, &element{z}))
	j.z.Mul(&j.z, &element{z})
	return j
}

func TestAddAllBlocks(t *testing.T) {
	r := newRand(6)
	_, a, theirA := randomTerms(r, 600, 8) // more than a block
	_, b, theirB := randomTerms(r, 600, 8)
	a[7], theirA[7] = Point{}, secp.NewIdentityPoint()
	b[8], theirB[8] = Point{}, secp.NewIdentityPoint()
	b[9], theirB[9] = a[9], theirA[9]
	b[599], theirB[599] = a[599].Negate(), secp.NewIdentityPoint().Negate(theirA[599])
	AddAll(a, b)
	for i := range a {
		if a[i] != FromPoint(secp.NewIdentityPoint().Add(theirA[i], theirB[i])) {
			t.Fatalf("sum %d is wrong", i)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("lists of different lengths were added")
		}
	}()
	AddAll(a, b[:1])
}

func TestEvaluateAt(t *testing.T) {
	_, points, theirs := randomTerms(newRand(7), 5, 256)
	for _, x := range []uint32{0, 1, 2, 3, 24, 255, 1 << 20} {
		for n := range len(points) + 1 {
			want := secp.NewIdentityPoint()
			for c := n - 1; c >= 0; c-- {
				want.ScalarMult(secp.NewScalarFromUint64(uint64(x)), want)
				want.Add(want, theirs[c])
			}
			if got := EvaluateAt(points[:n], x); Affine(got)[0] != FromPoint(want) {
				t.Errorf("x=%d, %d coefficients: wrong value", x, n)
			}
		}
	}
}

func TestIdentityHasNoEncoding(t *testing.T) {
	for name, encode := range map[string]func(*Point, []byte) []byte{
		"wire": (*Point).AppendWire, "compressed": (*Point).AppendCompressed,
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("the identity was encoded")
				}
			}()
			encode(new(Point), nil)
		})
	}
}

// Jacobian returns p in Jacobian coordinates.
func (p *Point) Jacobian() Jacobian {
	if p.IsIdentity() {
		return Jacobian{}
	}
	return Jacobian{p.x, p.y, one}
}
