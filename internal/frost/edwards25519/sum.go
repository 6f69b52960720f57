package edwards25519

import (
	"encoding/binary"
	"math/bits"

	"filippo.io/edwards25519/field"
)

// Sum is a point of public data that was added up.
type Sum struct{ p extended }

// IsBaseMult reports whether the sum is s·G. It is constant time in s.
func (a *Sum) IsBaseMult(s *Scalar) bool {
	b := secretBaseMult(s)
	var l, r field.Element
	same := l.Multiply(&a.p.x, &b.z).Equal(r.Multiply(&b.x, &a.p.z))
	same &= l.Multiply(&a.p.y, &b.z).Equal(r.Multiply(&b.y, &a.p.z))
	b, l, r = extended{}, field.Element{}, field.Element{}
	return same == 1
}

// EvaluateVartime sets out[i] to the value at x of a polynomial in the exponent, whose
// coefficients are the i-th of as many equal parts of commitments, constant term first.
// Horner's rule with a double-and-add by the few bits of x. Public data only.
func EvaluateVartime(out []Affine, commitments []Affine, x uint32) {
	t := len(commitments) / max(len(out), 1)
	sums := make([]extended, len(out))
	for i := range out {
		c := commitments[i*t:][:t]
		sum := &sums[i]
		*sum = c[t-1].extend()
		for k := t - 2; k >= 0; k-- {
			sum.multSmall(x)
			q := c[k].cache()
			sum.add(&q, 0)
		}
	}
	affine(out, sums)
}

// multSmall sets p = x·p for an x above 0.
func (p *extended) multSmall(x uint32) {
	q := p.cache()
	for i := bits.Len32(x) - 2; i >= 0; i-- {
		p.double(i == 0 || x>>i&1 == 1)
		if x>>i&1 == 1 {
			p.addProjective(&q, 0, true)
		}
	}
}

// projective is [cached] of a point that is not affine: z is twice its Z.
type projective struct {
	cached
	z field.Element
}

func (p *extended) cache() (c projective) {
	c.sums[0].Add(&p.y, &p.x)
	c.sums[1].Subtract(&p.y, &p.x)
	c.xy2d.Multiply(&p.t, &twoD)
	c.z.Add(&p.z, &p.z)
	return c
}

// addProjective is add for a q that is not affine; without t, which only another addition
// needs, p.t is left wrong.
func (p *extended) addProjective(q *projective, sign int, t bool) {
	var a, b, c, e, h field.Element
	var fg [2]field.Element
	a.Multiply(a.Subtract(&p.y, &p.x), &q.sums[1^sign])
	b.Multiply(b.Add(&p.y, &p.x), &q.sums[sign])
	c.Multiply(&p.t, &q.xy2d)
	p.z.Multiply(&p.z, &q.z)
	e.Subtract(&b, &a)
	h.Add(&b, &a)
	fg[0].Subtract(&p.z, &c)
	fg[1].Add(&p.z, &c)
	f, g := &fg[sign], &fg[1^sign]
	p.x.Multiply(&e, f)
	p.y.Multiply(g, &h)
	p.z.Multiply(f, g)
	if t {
		p.t.Multiply(&e, &h)
	}
}

var identity = func() (p extended) {
	p.y.One()
	p.z.One()
	return p
}()

// SumsVartime sets out[i] to the sum of scalars[j]·points[j] + plus[j] over the i-th of
// as many equal parts of these. Public data only.
func SumsVartime(out []Affine, scalars []Scalar, points, plus []Affine) {
	n := len(points) / max(len(out), 1)
	sums := make([]extended, len(out))
	s := newStraus(n)
	for i := range out {
		for j := range n {
			s.terms[j].set(&scalars[i*n+j], &points[i*n+j])
		}
		s.sum(&sums[i])
		for j := range n {
			q := plus[i*n+j].cache()
			sums[i].add(&q, 0)
		}
	}
	affine(out, sums)
}

// fewTerms is up to how many terms Straus' method is the faster one.
const fewTerms = 160

// SumVartime returns the sum of scalars[i]·points[i]. Public data only. It panics if the
// lengths differ.
func SumVartime(scalars []Scalar, points []Affine) (a Sum) {
	if len(points) != len(scalars) {
		panic("edwards25519: as many scalars as points are needed")
	}
	if len(points) > fewTerms {
		a.p = pippenger(scalars, points)
		return a
	}
	s := newStraus(len(points))
	for i := range points {
		s.terms[i].set(&scalars[i], &points[i])
	}
	s.sum(&a.p)
	return a
}

// straus are the terms of a sum that doubles for them all: "Addition chains of vectors", Straus, 1964.
type straus struct {
	terms []term
	adds  []*term // of one place
}

func newStraus(n int) *straus { return &straus{make([]term, n), make([]*term, 0, n)} }

// nafBits is the width of digits: they are odd and below 2^(nafBits-1), and at least
// nafBits-1 zeros lie between two of them.
const nafBits = 5

type term struct {
	odd    [1 << (nafBits - 2)]projective // 1, 3, 5 ... times the point
	digits [256]int8
	top    int // the place of the highest digit; -1 without one
}

func (t *term) set(scalar *Scalar, point *Affine) {
	if t.recode(scalar); t.top < 0 {
		return
	}
	p := point.extend()
	t.odd[0] = p.cache()
	twice := p
	twice.double(true)
	step := twice.cache()
	for i := 1; i < len(t.odd); i++ {
		p.addProjective(&step, 0, true)
		t.odd[i] = p.cache()
	}
}

// recode computes the digits: the non-adjacent form of a width.
func (t *term) recode(scalar *Scalar) {
	t.digits, t.top = [256]int8{}, -1
	l := limbs(scalar)
	carry := 0
	for pos := 0; pos < 256; {
		window := carry + int(l.window(pos, nafBits))
		if window&1 == 0 {
			pos++
			continue
		}
		if carry = 0; window >= 1<<(nafBits-1) {
			carry, window = 1, window-1<<nafBits
		}
		t.digits[pos], t.top = int8(window), pos
		pos += nafBits
	}
}

// wide is a scalar's limbs, and a zero.
type wide [5]uint64

func limbs(scalar *Scalar) (l wide) {
	b := EncodeScalar(scalar)
	for i := range 4 {
		l[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return l
}

// window returns count bits from pos on.
func (l *wide) window(pos, count int) uint64 {
	return (l[pos/64]>>(pos%64) | l[pos/64+1]<<1<<(63-pos%64)) & (1<<count - 1)
}

func (s *straus) sum(out *extended) {
	*out = identity
	top := -1
	for i := range s.terms {
		top = max(top, s.terms[i].top)
	}
	for pos := top; pos >= 0; pos-- {
		s.adds = s.adds[:0]
		for i := range s.terms {
			if s.terms[i].digits[pos] != 0 {
				s.adds = append(s.adds, &s.terms[i])
			}
		}
		out.double(len(s.adds) > 0 || pos == 0)
		for i, t := range s.adds {
			digit, sign := int(t.digits[pos]), 0
			if digit < 0 {
				digit, sign = -digit, 1
			}
			out.addProjective(&t.odd[digit/2], sign, i+1 < len(s.adds) || pos == 0)
		}
	}
}

// pippenger sorts the points of a digit into buckets, and adds up those: "On the evaluation of powers and monomials",
// Pippenger, 1980. Digits are signed, which halves the buckets.
func pippenger(scalars []Scalar, points []Affine) extended {
	width := max(5, bits.Len(uint(len(points)))-3)
	terms, recoded := make([]cached, len(points)), make([]wide, len(points))
	half := wide{}
	places := 0
	for bit := width - 1; bit < 253; bit += width {
		half[bit/64] |= 1 << (bit % 64)
		places++
	}
	for i := range points {
		terms[i] = points[i].cache()
		l, carry := limbs(&scalars[i]), uint64(0)
		for j := range l {
			recoded[i][j], carry = bits.Add64(l[j], half[j], carry)
		}
	}
	sum, buckets := identity, make([]extended, 1<<(width-1)+1)
	for place := places; place >= 0; place-- { // the highest digit is a carry, 0 or 1 or what is left
		for range width {
			sum.double(true)
		}
		for i := range buckets {
			buckets[i] = identity
		}
		for i := range terms {
			digit, sign := int(recoded[i].window(place*width, width)), 0
			if place < places {
				digit -= 1 << (width - 1)
			}
			if digit < 0 {
				digit, sign = -digit, 1
			}
			if digit != 0 {
				buckets[digit].add(&terms[i], sign)
			}
		}
		running, total := identity, identity
		for i := len(buckets) - 1; i > 0; i-- {
			q := buckets[i].cache()
			running.addProjective(&q, 0, true)
			q = running.cache()
			total.addProjective(&q, 0, true)
		}
		q := total.cache()
		sum.addProjective(&q, 0, true)
	}
	return sum
}
