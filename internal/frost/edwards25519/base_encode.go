package edwards25519

import (
	"slices"

	"filippo.io/edwards25519/field"
	"github.com/oasisprotocol/curve25519-voi/curve"
)

// baseBlock bounds the scratch space of [AppendDivided] and [BaseMults].
const baseBlock = 256

// AppendDivided appends of each scalar s what [DecodeDivided] turns into s·G: the encoding of
// (s/8)·G. Constant time. Many at once
// cost a third less each: they share an inversion.
func AppendDivided(dst []byte, scalars []*Scalar) []byte {
	return make(secrets, min(len(scalars), baseBlock)).appendDivided(dst, scalars)
}

// BaseMults sets out[i] = scalars[i]·G, in constant time and with one inversion for many.
// The coordinates say no more of a scalar than the point does. It panics if the
// lengths differ.
func BaseMults(out []Affine, scalars []Scalar) {
	if len(out) != len(scalars) {
		panic("edwards25519: as many scalars as points are needed")
	}
	make(secrets, min(len(scalars), baseBlock)).baseMults(out, scalars)
}

// secret is a multiple of the base point before it is a public one: projective coordinates
// tell more of the scalar than the point does, and so does a product of some.
type secret struct {
	scalar Scalar
	point  Point
	before field.Element // product of the Zs of those before
	affine Affine        // the public point
}

// secrets is scratch space for as many scalars as there are secrets.
type secrets []secret

// appendDivided is [AppendDivided], and wipes the scratch space.
func (s secrets) appendDivided(dst []byte, scalars []*Scalar) []byte {
	defer clear(s)
	for block := range slices.Chunk(scalars, max(len(s), 1)) {
		now := s[:len(block)]
		for i := range now {
			now[i].scalar.Mul(block[i], inverseOfEight)
		}
		now.multiply()
		for i := range now {
			b := now[i].affine.Encode()
			dst = append(dst, b[:]...)
		}
	}
	return dst
}

// baseMults is [BaseMults], and wipes the scratch space.
func (s secrets) baseMults(out []Affine, scalars []Scalar) {
	defer clear(s)
	for from := 0; from < len(scalars); from += len(s) {
		now := s[:min(len(s), len(scalars)-from)]
		for i := range now {
			now[i].scalar.Set(&scalars[from+i])
		}
		now.multiply()
		for i := range now {
			out[from+i] = now[i].affine
		}
	}
}

// multiply sets each affine point to the base point's multiple.
func (s secrets) multiply() {
	if !s.multiplyTogether() {
		s.multiplyEach()
	}
}

// multiplyEach is multiply by curve25519-voi. With the inverse of the product
// of all Zs, which is never 0, it takes three multiplications to find that of each Z
// (Montgomery's trick): as constant in time as the inversion is, which raises to a fixed power.
func (s secrets) multiplyEach() {
	for i := range s {
		s[i].point.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, &s[i].scalar)
	}
	if !seesCoordinates() {
		for i := range s {
			s[i].affine.setPoint(&s[i].point)
		}
		return
	}
	var inverse, z field.Element
	inverse.One()
	for i := range s {
		s[i].before.Set(&inverse)
		inverse.Multiply(&inverse, &coordinates(&s[i].point).z)
	}
	inverse.Invert(&inverse)
	for i := len(s) - 1; i >= 0; i-- {
		p := coordinates(&s[i].point)
		z.Multiply(&inverse, &s[i].before)
		inverse.Multiply(&inverse, &p.z)
		s[i].affine.x.Multiply(&p.x, &z)
		s[i].affine.y.Multiply(&p.y, &z)
	}
	z.Zero()
}
