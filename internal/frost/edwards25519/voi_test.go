package edwards25519

import (
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

func TestAffines(t *testing.T) {
	t.Parallel()
	points := []Point{*curve.NewEdwardsPoint()}
	for _, torsion := range curve.EIGHT_TORSION {
		points = append(points, *torsion)
	}
	for _, s := range someScalars(7, 5) {
		p := BaseMult(s)
		points = append(points, *p, *p.Add(p, curve.EIGHT_TORSION[3]))
	}
	if got := Affines(nil); len(got) != 0 {
		t.Errorf("%d of no points", len(got))
	}
	for i, a := range Affines(points) {
		if a.Encode() != Encode(&points[i]) {
			t.Errorf("point %d becomes another one", i)
		}
		var alone Affine
		if alone.setPoint(&points[i]); !alone.Equal(&a) {
			t.Errorf("point %d becomes another one by its encoding", i)
		}
		if IsIdentity(&points[i]) != points[i].IsIdentity() {
			t.Errorf("point %d: identity", i)
		}
		back := *BaseMult(inverseOfEight) // of another point
		SetAffine(&back, &a)
		sum := curve.NewEdwardsPoint().Add(&points[i], &points[len(points)-1])
		if back.Equal(&points[i]) != 1 || back.Add(&back, &points[len(points)-1]).Equal(sum) != 1 {
			t.Errorf("point %d does not come back", i)
		}
	}
}
