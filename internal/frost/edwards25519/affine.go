package edwards25519

import "filippo.io/edwards25519/field"

// Affine is a point of public data in affine coordinates, which [AddBaseMultsVartime]
// adds to. It is of another library than [Point], whose coordinates nobody sees.
type Affine struct{ x, y field.Element }

// DecodeAffine reads the encoding of a point of which [DecodePoint] or [DecodeTrusted]
// has seen that it is one.
func DecodeAffine(b []byte) (p Affine, err error) {
	if !p.decode(b) {
		return Affine{}, ErrPoint
	}
	return p, nil
}

// IsIdentity reports whether p is the identity.
func (p *Affine) IsIdentity() bool {
	var zero field.Element
	return p.x.Equal(&zero) == 1 && p.y.Equal(new(field.Element).One()) == 1
}

// Encode returns the encoding of RFC 8032.
func (p *Affine) Encode() (b [PointSize]byte) {
	copy(b[:], p.y.Bytes())
	b[31] |= byte(p.x.IsNegative() << 7)
	return b
}

// extended is a point in extended coordinates, x = X/Z, y = Y/Z and xy = T/Z.
type extended struct{ x, y, z, t field.Element }

func (p *Affine) extend() (q extended) {
	q.x, q.y = p.x, p.y
	q.z.One()
	q.t.Multiply(&p.x, &p.y)
	return q
}

// affine brings points to affine coordinates with one inversion for them all.
func affine(out []Affine, points []extended) {
	affineBy(out, func(i int) *extended { return &points[i] }, make([]field.Element, len(points)+1))
}

// affineBy is [affine] with scratch space for one more than the points.
func affineBy(out []Affine, point func(i int) *extended, products []field.Element) {
	products[0].One()
	for i := range out {
		products[i+1].Multiply(&products[i], &point(i).z)
	}
	var inverse, z field.Element
	inverse.Invert(&products[len(out)])
	for i := len(out) - 1; i >= 0; i-- {
		p := point(i)
		z.Multiply(&inverse, &products[i])
		inverse.Multiply(&inverse, &p.z)
		out[i].x.Multiply(&p.x, &z)
		out[i].y.Multiply(&p.y, &z)
	}
}

// cached is what an addition needs of an affine point: y+x, y-x and 2dxy. So that the
// negative of a point is the same in another order, the first two have places 0 and 1.
type cached struct {
	sums [2]field.Element
	xy2d field.Element
}

func (p *Affine) cache() (c cached) {
	c.sums[0].Add(&p.y, &p.x)
	c.sums[1].Subtract(&p.y, &p.x)
	c.xy2d.Multiply(c.xy2d.Multiply(&p.x, &p.y), &twoD)
	return c
}

// d is that of the curve's equation -x² + y² = 1 + dx²y², -121665/121666.
var d = func() (d field.Element) {
	d.Negate(d.Mult32(new(field.Element).One(), 121665))
	var denominator field.Element
	denominator.Invert(denominator.Mult32(new(field.Element).One(), 121666))
	return *d.Multiply(&d, &denominator)
}()

var twoD = *new(field.Element).Add(&d, &d)

// add sets p = p + q for sign 0 and p - q for sign 1. It is complete: "Twisted Edwards
// Curves Revisited", Hisil, Wong, Carter and Dawson, 2008, section 3.1, with Z2 = 1.
func (p *extended) add(q *cached, sign int) {
	var a, b, c, e, h field.Element
	var fg [2]field.Element
	a.Multiply(a.Subtract(&p.y, &p.x), &q.sums[1^sign])
	b.Multiply(b.Add(&p.y, &p.x), &q.sums[sign])
	c.Multiply(&p.t, &q.xy2d)
	p.z.Add(&p.z, &p.z)
	e.Subtract(&b, &a)
	h.Add(&b, &a)
	fg[0].Subtract(&p.z, &c)
	fg[1].Add(&p.z, &c)
	f, g := &fg[sign], &fg[1^sign]
	p.x.Multiply(&e, f)
	p.y.Multiply(g, &h)
	p.z.Multiply(f, g)
	p.t.Multiply(&e, &h)
}
