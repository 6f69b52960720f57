package vartime

import "github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"

// Jacobian is a point in Jacobian coordinates, x = X/Z² and y = Y/Z³: a result
// that has not paid for its inversion yet. With Z = 0, as in the zero value, it
// is the identity.
type Jacobian struct{ x, y, z element }

// Affine brings points to affine coordinates with one inversion for them all.
func Affine(points ...Jacobian) []Point {
	zs, scratch := make([]element, len(points)), make([]element, len(points))
	for i := range points {
		if zs[i] = points[i].z; zs[i].IsZeroVartime() {
			zs[i] = one
		}
	}
	field.InvertAll(zs, scratch)
	out := make([]Point, len(points))
	for i := range points {
		if points[i].IsIdentity() {
			continue
		}
		p := &out[i]
		var zz element
		zz.Square(&zs[i])
		p.x.Mul(&points[i].x, &zz).ReduceVartime()
		p.y.Mul(&points[i].y, zz.Mul(&zz, &zs[i])).ReduceVartime()
	}
	return out
}

// IsIdentity reports whether p is the identity.
func (p *Jacobian) IsIdentity() bool { return p.z.IsZeroVartime() }

// Equals reports whether p is the point q.
func (p *Jacobian) Equals(q *Point) bool {
	if p.IsIdentity() || q.IsIdentity() {
		return p.IsIdentity() && q.IsIdentity()
	}
	var zz, d element
	zz.Square(&p.z)
	if !d.Sub(d.Mul(&q.x, &zz), &p.x).IsZeroVartime() {
		return false
	}
	zz.Mul(&zz, &p.z)
	return d.Sub(d.Mul(&q.y, &zz), &p.y).IsZeroVartime()
}

// double sets p = 2p. The curve has no point of order 2, so it is complete.
func (p *Jacobian) double() {
	var l, s, t element // 3X²/2, Y², -X·Y²
	l.Square(&p.x)
	t.Add(&l, &l)
	l.Half(l.Add(&l, &t))
	s.Square(&p.y)
	t.Negate(t.Mul(&p.x, &s))
	p.z.Mul(&p.z, &p.y)
	p.x.Square(&l)
	p.x.Add(p.x.Add(&p.x, &t), &t)
	l.Mul(&l, t.Add(&t, &p.x))
	p.y.Negate(l.Add(&l, s.Square(&s)))
}

// AddPoint sets p = p + q and returns p.
func (p *Jacobian) AddPoint(q *Point) *Jacobian {
	if !q.IsIdentity() {
		p.addProper(q)
	}
	return p
}

// addProper is AddPoint for a q that is not the identity, and returns the ratio
// of the new Z to the old where both are proper.
func (p *Jacobian) addProper(q *Point) (ratio element) {
	if p.z == (element{}) {
		*p = Jacobian{q.x, q.y, one}
		return one
	}
	var zz, h, r element
	zz.Square(&p.z)
	h.Sub(h.Mul(&q.x, &zz), &p.x)
	r.Sub(r.Mul(&q.y, zz.Mul(&zz, &p.z)), &p.y)
	if h.IsZeroVartime() {
		if r.IsZeroVartime() {
			p.double()
		} else {
			*p = Jacobian{}
		}
		return one
	}
	p.chord(&h, &r, &p.x, &p.y)
	p.z.Mul(&p.z, &h)
	return h
}

// Add sets p = p + q and returns p.
func (p *Jacobian) Add(q *Jacobian) *Jacobian {
	if q.z == (element{}) {
		return p
	}
	if p.z == (element{}) {
		*p = *q
		return p
	}
	var pp, qq, u, s, h, r element
	pp.Square(&p.z)
	qq.Square(&q.z)
	u.Mul(&p.x, &qq)
	s.Mul(&p.y, qq.Mul(&qq, &q.z))
	h.Sub(h.Mul(&q.x, &pp), &u)
	r.Sub(r.Mul(&q.y, pp.Mul(&pp, &p.z)), &s)
	if h.IsZeroVartime() {
		if r.IsZeroVartime() {
			p.double()
		} else {
			*p = Jacobian{}
		}
		return p
	}
	p.chord(&h, &r, &u, &s)
	p.z.Mul(p.z.Mul(&p.z, &q.z), &h)
	return p
}

// Negate returns -p.
func (p *Jacobian) Negate() Jacobian {
	q := *p
	q.y.Negate(&p.y)
	return q
}

// chord sets p's X and Y to those of the sum of two points that differ by h in
// x and by r in y, the first of which is (u, s).
func (p *Jacobian) chord(h, r, u, s *element) {
	var hh, hhh, v, y element
	hh.Square(h)
	hhh.Mul(&hh, h)
	v.Mul(u, &hh)
	y.Mul(s, &hhh)
	p.x.Sub(hh.Square(r), &hhh)
	p.x.Sub(p.x.Sub(&p.x, &v), &v)
	p.y.Sub(v.Mul(r, v.Sub(&v, &p.x)), &y)
}
