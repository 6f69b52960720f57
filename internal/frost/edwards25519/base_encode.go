package edwards25519

import (
	"reflect"
	"slices"
	"sync"
	"unsafe"

	"filippo.io/edwards25519/field"
	"github.com/oasisprotocol/curve25519-voi/curve"
)

// encodeBlock bounds the scratch space of [AppendDivided].
const encodeBlock = 256

// AppendDivided appends of each scalar s what [DecodeDivided] turns into s·G: the encoding of
// (s/8)·G. Constant time. Many at once
// cost a third less each: they share an inversion.
func AppendDivided(dst []byte, scalars []*Scalar) []byte {
	e := encoder{make([]secret, min(len(scalars), encodeBlock))}
	return e.appendDivided(dst, scalars)
}

// secret is a multiple of the base point before it is a public one: projective coordinates
// tell more of the scalar than the point does.
type secret struct {
	point  Point
	before field.Element // product of the Zs of those before
}

// encoder is scratch space for as many scalars as it has secrets.
type encoder struct{ secrets []secret }

// appendDivided is [AppendDivided], and wipes the scratch space.
func (e *encoder) appendDivided(dst []byte, scalars []*Scalar) []byte {
	defer clear(e.secrets)
	for block := range slices.Chunk(scalars, max(len(e.secrets), 1)) {
		for i, s := range block {
			e.multiply(i, s)
		}
		dst = e.append(dst, len(block))
	}
	return dst
}

// multiply sets a secret to the base point's multiple by s/8.
func (e *encoder) multiply(i int, s *Scalar) {
	var eighth Scalar
	e.secrets[i].point.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, eighth.Mul(s, inverseOfEight))
	eighth.Zero()
}

// append appends the encodings of the first n secrets. With the inverse of the product of all
// Zs, which is never 0, it takes three multiplications to find that of each Z (Montgomery's
// trick): as constant in time as the inversion is, which raises to a fixed power.
func (e *encoder) append(dst []byte, n int) []byte {
	if !seesCoordinates() {
		for i := range n {
			b := Encode(&e.secrets[i].point)
			dst = append(dst, b[:]...)
		}
		return dst
	}
	var inverse, z field.Element
	inverse.One()
	for i := range n {
		s := &e.secrets[i]
		s.before.Set(&inverse)
		inverse.Multiply(&inverse, &coordinates(&s.point).z)
	}
	inverse.Invert(&inverse)
	from := len(dst)
	dst = slices.Grow(dst, n*PointSize)[:from+n*PointSize]
	for i := n - 1; i >= 0; i-- {
		s := &e.secrets[i]
		p := coordinates(&s.point)
		z.Multiply(&inverse, &s.before)
		inverse.Multiply(&inverse, &p.z)
		var a Affine
		a.x.Multiply(&p.x, &z)
		a.y.Multiply(&p.y, &z)
		b := a.Encode()
		copy(dst[from+i*PointSize:], b[:])
	}
	z.Zero()
	return dst
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
	// Of a point whose Z is not 1 they give the encoding.
	p := BaseMult(inverseOfEight)
	var a [1]Affine
	affine(a[:], []extended{*coordinates(p)})
	return a[0].Encode() == Encode(p)
})
