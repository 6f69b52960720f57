package vartime

import (
	"fmt"
	"slices"
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"
)

// Every addition of a block may be one that the chord can't do, in one row or in all of
// them, and in any part of the eight that are done together.
func TestAddBaseMultsAllAlone(t *testing.T) {
	r := newRand(17)
	for pos := range baseLast + 1 {
		for _, n := range []int{manyBases - 1, manyBases, manyBases + 1, manyBases + 7} {
			scalars, points := make([]*Scalar, n), make([]Point, n)
			for i := range points {
				scalars[i] = randomScalar(r, 256)
				points[i] = met(scalars[i], pos, i+pos)
			}
			compareBaseMults(t, fmt.Sprintf("position %d, %d points", pos, n), points, scalars)
		}
	}
}

// The same points and scalars again and again, in blocks that are full, short by one, and
// one too many.
func TestAddBaseMultsRepeated(t *testing.T) {
	r := newRand(18)
	for _, n := range []int{baseBlock - 1, baseBlock, baseBlock + 1, 2*baseBlock + 9} {
		some := []*Scalar{
			secp.NewScalar(), secp.NewScalarFromUint64(1), digitTerm(baseLast, 1<<7), randomScalar(r, 256), randomScalar(r, 256),
		}
		scalars, points := make([]*Scalar, n), make([]Point, n)
		for i := range points {
			scalars[i] = some[i%len(some)]
			if i < 4*len(some) {
				points[i] = met(scalars[i], baseLast/2, i/len(some))
			} else {
				points[i] = points[i-4*len(some)]
			}
		}
		compareBaseMults(t, fmt.Sprint(n), points, scalars)
	}
}

// met returns a point to which the digit of s at a position can't be added by the chord:
// the sum of it and the digits below is the identity, the digit's multiple, or the
// multiple's negative; or a point of no such kind.
func met(s *Scalar, pos, kind int) Point {
	low, next := splitDigits(s, pos)
	low.Negate(low)
	switch kind % 4 {
	case 0:
		return affineMult(low)
	case 1:
		return affineMult(low.Add(low, next))
	case 2:
		return affineMult(low.Subtract(low, next))
	default:
		return affineMult(next.Add(next, secp.NewScalarFromUint64(12345)))
	}
}

// compareBaseMults compares AddBaseMults with secp256k1-voi, and sees that scalars stay.
func compareBaseMults(t *testing.T, name string, points []Point, scalars []*Scalar) {
	t.Helper()
	want, before := make(map[termID]Point), make([][]byte, len(scalars))
	for i, s := range scalars {
		before[i] = s.Bytes()
		if id := (termID{points[i], [32]byte(before[i])}); want[id] == (Point{}) {
			want[id] = FromPoint(secp.NewIdentityPoint().Add(toVoi(t, &points[i]), secp.NewIdentityPoint().ScalarBaseMult(s)))
		}
	}
	got := slices.Clone(points)
	AddBaseMults(got, scalars)
	for i := range got {
		if want := want[termID{points[i], [32]byte(before[i])}]; got[i] != want {
			t.Fatalf("%s: point %d: %x, want %x", name, i, got[i], want)
		}
		if string(scalars[i].Bytes()) != string(before[i]) {
			t.Fatalf("%s: scalar %d was changed", name, i)
		}
	}
}

type termID struct {
	point  Point
	scalar [32]byte
}

func toVoi(t *testing.T, p *Point) *secp.Point {
	t.Helper()
	if p.IsIdentity() {
		return secp.NewIdentityPoint()
	}
	q, err := secp.NewPointFromBytes(p.AppendCompressed(nil))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Any scalars, and points that their digits meet anywhere, in a number that the first two
// bytes say, are added up as by secp256k1-voi.
func FuzzAddBaseMults(f *testing.F) {
	f.Add([]byte{0, 32})
	f.Add([]byte{0, 40, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Add(append([]byte{2, 10}, make([]byte, 34*9)...))
	f.Add(slices.Repeat([]byte{0, 33, 19, 1, 0x80, 0x7f, 0xff}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2 {
			return
		}
		n := (int(b[0])<<8 | int(b[1])) % (baseBlock + 40)
		var scalars []*Scalar
		var points []Point
		for b = b[2:]; len(b) >= 2 && len(points) < min(n, 64); {
			var s [32]byte
			pos, kind, used := int(b[0])%(baseLast+1), int(b[1]), copy(s[:], b[2:])
			scalar, _ := secp.NewScalarFromBytes(&s)
			scalars, points = append(scalars, scalar), append(points, met(scalar, pos, kind))
			b = b[2+used:]
		}
		if len(points) == 0 {
			scalars, points = []*Scalar{secp.NewScalar()}, []Point{{}}
		}
		given := len(points)
		for i := given; i < n; i++ {
			scalars, points = append(scalars, scalars[i%given]), append(points, points[(i/given+i)%given])
		}
		compareBaseMults(t, "fuzz", points, scalars)
	})
}
