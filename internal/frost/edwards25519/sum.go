package edwards25519

import (
	"encoding/binary"
	"math/bits"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// DecodeAny is [DecodeAffine] for the other library's points.
func DecodeAny(b []byte) (*Point, error) { return decompress(b) }

// IsSmall reports whether p is of small order: 1, 2, 4 or 8. Twice a point of order 8 is
// one of order 4, (±i, 0), and so x² + y² is 0, the numerator of its y; twice that is (0, -1).
func (p *Affine) IsSmall() bool {
	var zero, xx, yy field.Element
	xx.Square(&p.x)
	yy.Square(&p.y)
	return p.x.Equal(&zero) == 1 || p.y.Equal(&zero) == 1 || xx.Add(&xx, &yy).Equal(&zero) == 1
}

// GeneratorAffine returns the base point.
func GeneratorAffine() Affine {
	p, err := DecodeAffine(edwards25519.NewGeneratorPoint().Bytes())
	if err != nil {
		panic("edwards25519: the base point is no point")
	}
	return p
}

// SumIsSmallVartime reports whether the sum of scalars[i]·points[i] is of small order, that
// is, whether 8 times the sum is the identity. Scalars are canonical; short ones cost
// less. Public data only. It panics if the lengths differ.
func SumIsSmallVartime(scalars [][ScalarSize]byte, points []Affine) bool {
	if len(scalars) != len(points) {
		panic("edwards25519: as many scalars as points are needed")
	}
	sum, ok := sumTogether(scalars, points)
	if !ok {
		sum = sumVartime(scalars, points)
	}
	for range 3 {
		sum.double(false)
	}
	return sum.isIdentity()
}

// sumVartime returns the sum of scalars[i]·points[i].
//
// It is Pippenger's method with signed digits: in each position a point is added to the sum
// of those with the same digit, and then these sums are multiplied by the digits in two
// additions each.
func sumVartime(scalars [][ScalarSize]byte, points []Affine) extended {
	width := digitBits(scalars)
	digits, terms := make([]digitised, len(points)), make([]cached, len(points))
	halves := halfOfEach(width)
	for i := range points {
		digits[i].set(&scalars[i], halves)
		terms[i] = points[i].cache()
	}
	sum, buckets := identity(), make([]extended, 1<<(width-1))
	for pos := positions(width) - 1; pos >= 0; pos-- {
		for i := range width {
			sum.double(i == width-1)
		}
		for i := range buckets {
			buckets[i] = identity()
		}
		for i := range terms {
			if d := digits[i].at(pos, width); d > 0 {
				buckets[d-1].add(&terms[i], 0)
			} else if d < 0 {
				buckets[-d-1].add(&terms[i], 1)
			}
		}
		above := identity()
		for i := len(buckets) - 1; i >= 0; i-- {
			above.addExtended(&buckets[i])
			sum.addExtended(&above)
		}
	}
	return sum
}

// digitBits is how many bits a digit has so that there are the fewest additions.
func digitBits(scalars [][ScalarSize]byte) int {
	total := 0
	for i := range scalars {
		total += bitLen(&scalars[i])
	}
	best, least := 0, 0
	for width := 2; width <= 12; width++ {
		if cost := total/width + positions(width)<<width; best == 0 || cost < least {
			best, least = width, cost
		}
	}
	return best
}

func bitLen(scalar *[ScalarSize]byte) int {
	for i := len(scalar) - 1; i >= 0; i-- {
		if scalar[i] != 0 {
			return 8*i + bits.Len8(scalar[i])
		}
	}
	return 0
}

// positions is how many digits a scalar has: with half a digit added everywhere it is
// below 2^255.
func positions(width int) int { return (255 + width - 1) / width }

// digitised is a scalar with half a digit added everywhere: then digits from -half to
// half are bits of it, without carries. The last limb is for the highest digit's sake.
type digitised [5]uint64

func halfOfEach(width int) (halves digitised) {
	for pos := range positions(width) {
		bit := pos*width + width - 1
		halves[bit/64] |= 1 << (bit % 64)
	}
	return halves
}

func (l *digitised) set(scalar *[ScalarSize]byte, halves digitised) {
	carry := uint64(0)
	for i := range 4 {
		l[i], carry = bits.Add64(binary.LittleEndian.Uint64(scalar[8*i:]), halves[i], carry)
	}
	l[4] = halves[4] + carry
}

func (l *digitised) at(pos, width int) int {
	at := pos * width
	d := l[at/64] >> (at % 64)
	if at/64 < len(l)-1 {
		d |= l[at/64+1] << (64 - at%64)
	}
	return int(d&(1<<width-1)) - 1<<(width-1)
}

func identity() (p extended) {
	p.y.One()
	p.z.One()
	return p
}

// isIdentity: it is (0, 1), and the only other point with x = 0 is (0, -1).
func (p *extended) isIdentity() bool {
	var zero = identity().x
	return p.x.Equal(&zero) == 1 && p.y.Equal(&p.z) == 1
}

// addExtended sets p = p + q. As add, with any Z2.
func (p *extended) addExtended(q *extended) {
	var a, b, c, d, e, f, g, h, t field.Element
	a.Multiply(a.Subtract(&p.y, &p.x), t.Subtract(&q.y, &q.x))
	b.Multiply(b.Add(&p.y, &p.x), t.Add(&q.y, &q.x))
	c.Multiply(c.Multiply(&p.t, &q.t), &twoD)
	d.Multiply(&p.z, &q.z)
	d.Add(&d, &d)
	e.Subtract(&b, &a)
	f.Subtract(&d, &c)
	g.Add(&d, &c)
	h.Add(&b, &a)
	p.x.Multiply(&e, &f)
	p.y.Multiply(&g, &h)
	p.z.Multiply(&f, &g)
	p.t.Multiply(&e, &h)
}

// double sets p = 2p, as section 3.3 of the same paper has it. Only an addition needs T.
func (p *extended) double(withT bool) {
	var a, b, c, e, f, g, h field.Element
	a.Square(&p.x)
	b.Square(&p.y)
	c.Square(&p.z)
	c.Add(&c, &c)
	h.Add(&a, &b)
	e.Square(e.Add(&p.x, &p.y))
	e.Subtract(&h, &e)
	g.Subtract(&a, &b)
	f.Add(&c, &g)
	p.x.Multiply(&e, &f)
	p.y.Multiply(&g, &h)
	p.z.Multiply(&f, &g)
	if withT {
		p.t.Multiply(&e, &h)
	}
}
