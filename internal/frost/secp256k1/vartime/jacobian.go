package vartime

// Jacobian is a point in Jacobian coordinates, x = X/Z² and y = Y/Z³: a result
// that has not paid for its inversion yet. With Z = 0, as in the zero value, it
// is the identity.
type Jacobian struct{ x, y, z element }

// Affine brings points to affine coordinates with one inversion for them all.
func Affine(points ...Jacobian) []Point {
	zs, scratch := make([]element, len(points)), make([]element, len(points))
	for i := range points {
		if zs[i] = points[i].z; zs[i].isZero() {
			zs[i] = one
		}
	}
	invertAll(zs, scratch)
	out := make([]Point, len(points))
	for i := range points {
		if points[i].IsIdentity() {
			continue
		}
		p := &out[i]
		var zz element
		zz.square(&zs[i])
		p.x.mul(&points[i].x, &zz).reduce()
		p.y.mul(&points[i].y, zz.mul(&zz, &zs[i])).reduce()
	}
	return out
}

// IsIdentity reports whether p is the identity.
func (p *Jacobian) IsIdentity() bool { return p.z.isZero() }

// Equals reports whether p is the point q.
func (p *Jacobian) Equals(q *Point) bool {
	if p.IsIdentity() || q.IsIdentity() {
		return p.IsIdentity() && q.IsIdentity()
	}
	var zz, d element
	zz.square(&p.z)
	if !d.sub(d.mul(&q.x, &zz), &p.x).isZero() {
		return false
	}
	zz.mul(&zz, &p.z)
	return d.sub(d.mul(&q.y, &zz), &p.y).isZero()
}

// double sets p = 2p. The curve has no point of order 2, so it is complete.
func (p *Jacobian) double() {
	var l, s, t element // 3X²/2, Y², -X·Y²
	l.square(&p.x)
	t.add(&l, &l)
	l.half(l.add(&l, &t))
	s.square(&p.y)
	t.negate(t.mul(&p.x, &s))
	p.z.mul(&p.z, &p.y)
	p.x.square(&l)
	p.x.add(p.x.add(&p.x, &t), &t)
	l.mul(&l, t.add(&t, &p.x))
	p.y.negate(l.add(&l, s.square(&s)))
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
	zz.square(&p.z)
	h.sub(h.mul(&q.x, &zz), &p.x)
	r.sub(r.mul(&q.y, zz.mul(&zz, &p.z)), &p.y)
	if h.isZero() {
		if r.isZero() {
			p.double()
		} else {
			*p = Jacobian{}
		}
		return one
	}
	p.chord(&h, &r, &p.x, &p.y)
	p.z.mul(&p.z, &h)
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
	pp.square(&p.z)
	qq.square(&q.z)
	u.mul(&p.x, &qq)
	s.mul(&p.y, qq.mul(&qq, &q.z))
	h.sub(h.mul(&q.x, &pp), &u)
	r.sub(r.mul(&q.y, pp.mul(&pp, &p.z)), &s)
	if h.isZero() {
		if r.isZero() {
			p.double()
		} else {
			*p = Jacobian{}
		}
		return p
	}
	p.chord(&h, &r, &u, &s)
	p.z.mul(p.z.mul(&p.z, &q.z), &h)
	return p
}

// Negate returns -p.
func (p *Jacobian) Negate() Jacobian {
	q := *p
	q.y.negate(&p.y)
	return q
}

// chord sets p's X and Y to those of the sum of two points that differ by h in
// x and by r in y, the first of which is (u, s).
func (p *Jacobian) chord(h, r, u, s *element) {
	var hh, hhh, v, y element
	hh.square(h)
	hhh.mul(&hh, h)
	v.mul(u, &hh)
	y.mul(s, &hhh)
	p.x.sub(hh.square(r), &hhh)
	p.x.sub(p.x.sub(&p.x, &v), &v)
	p.y.sub(v.mul(r, v.sub(&v, &p.x)), &y)
}
