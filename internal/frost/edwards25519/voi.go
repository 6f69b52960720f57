package edwards25519

import (
	"reflect"
	"sync"
	"unsafe"

	"filippo.io/edwards25519/field"
)

// SetAffine sets p to a. Public data, as all [Affine] are.
func SetAffine(p *Point, a *Affine) {
	if seesCoordinates() {
		*coordinates(p) = a.extend()
		return
	}
	b := a.Encode()
	q, err := decompress(b[:])
	if err != nil {
		panic("edwards25519: an affine point is not on the curve")
	}
	p.Set(q)
}

// Affines returns points in affine coordinates, with one inversion for them all. Public data.
func Affines(points []Point) []Affine {
	out := make([]Affine, len(points))
	if !seesCoordinates() {
		for i := range points {
			out[i].setPoint(&points[i])
		}
		return out
	}
	products := make([]field.Element, len(points)+1)
	affineBy(out, func(i int) *extended { return coordinates(&points[i]) }, products)
	return out
}

// IsIdentity reports whether p is the identity. Public data: variable time, a tenth of what
// [Point.IsIdentity] takes.
func IsIdentity(p *Point) bool {
	if seesCoordinates() {
		return coordinates(p).isIdentity()
	}
	return p.IsIdentity()
}

// setPoint sets p to a point by its encoding.
func (p *Affine) setPoint(q *Point) {
	if b := Encode(q); !p.decode(b[:]) {
		panic("edwards25519: a point is not on the curve")
	}
}

// coordinates are those of a point, which curve25519-voi keeps to itself: four field elements of
// five limbs each, which its radix makes those of filippo.io/edwards25519. seesCoordinates
// must have said so.
func coordinates(p *Point) *extended { return (*extended)(unsafe.Pointer(p)) }

// seesCoordinates reports whether [coordinates] are what they are said to be. On a processor
// whose words have 32 bits, and if the library should change, they are not.
var seesCoordinates = sync.OnceValue(func() bool {
	theirs, ok := reflect.TypeFor[Point]().FieldByName("inner")
	if ours := reflect.TypeFor[extended](); !ok || theirs.Offset != 0 || theirs.Type.Size() != ours.Size() ||
		reflect.TypeFor[Point]().Size() != ours.Size() {
		return false
	}
	for i, name := range []string{"X", "Y", "Z", "T"} {
		f, ok := theirs.Type.FieldByName(name)
		if !ok || f.Offset != uintptr(i)*reflect.TypeFor[field.Element]().Size() {
			return false
		}
		limbs, ok := f.Type.FieldByName("inner")
		if !ok || limbs.Offset != 0 || limbs.Type != reflect.TypeFor[[5]uint64]() {
			return false
		}
	}
	// Of a point whose Z is not 1 they give the encoding, and back from there they are the point.
	p := BaseMult(inverseOfEight)
	var a [1]Affine
	affine(a[:], []extended{*coordinates(p)})
	var q Point
	*coordinates(&q) = a[0].extend()
	return a[0].Encode() == Encode(p) && q.Equal(p) == 1 && q.Add(&q, p).Equal(new(Point).Add(p, p)) == 1
})
