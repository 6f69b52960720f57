package vartime

// manyBases is from how many multiples of G on shared inversions pay: there is one for
// each of 20 positions, which cost what 600 additions do.
const manyBases = 32

// AddBaseMults adds scalars[i]·G to each points[i], for public scalars. It panics if
// the lengths differ. Many at once cost a third each: sums stay affine, all of them take
// the same position of their scalars at a time, and share its inversion and its part of
// a table that is too large for the fastest memory.
func AddBaseMults(points []Point, scalars []*Scalar) {
	if len(points) != len(scalars) {
		panic("vartime: as many scalars as points are needed")
	}
	if len(points) < manyBases {
		sums := make([]Jacobian, len(points))
		for i := range points {
			sums[i] = BaseMult(scalars[i])
			sums[i].AddPoint(&points[i])
		}
		copy(points, Affine(sums...))
		return
	}
	var s baseSums
	for len(points) > 0 {
		n := min(baseBlock, len(points))
		s.add(points[:n], scalars[:n])
		points, scalars = points[n:], scalars[n:]
	}
}

// baseBlock bounds the scratch space of [AddBaseMults].
const baseBlock = 1024

// baseSums is what [AddBaseMults] needs for a block.
type baseSums struct {
	digits         []int16 // by position
	dens, products []element
	touched        uint64 // for nothing but that the table is read
	alone          []int // sums that can't be added to by the chord
}

func (s *baseSums) add(points []Point, scalars []*Scalar) {
	n := len(points)
	if s.digits == nil {
		s.digits = make([]int16, (baseLast+1)*n)
		s.dens, s.products = make([]element, n), make([]element, n+1)
	}
	for i, k := range scalars {
		baseDigits(k, func(pos int, d int16) { s.digits[pos*n+i] = d })
	}
	for pos, row := range wideTable() {
		s.addRow(points, row, s.digits[pos*n:][:n])
	}
	for i := range points {
		points[i].x.reduce()
		points[i].y.reduce()
	}
}

// addRow adds to each point the multiple of the row's base that its digit says. It is
// addBlock, with as little beside the arithmetic as may be: no copies, no branches that
// depend on signs, and coordinates that are not reduced.
func (s *baseSums) addRow(points, row []Point, digits []int16) {
	for _, d := range digits { // without a wait for each: what the table is read for first
		if d != 0 {
			s.touched ^= row[magnitude(d)-1].x[0]
		}
	}
	dens, products := s.dens[:len(points)], s.products[:len(points)+1]
	s.alone = s.alone[:0]
	products[0] = one
	for i := range points {
		p, den := &points[i], &dens[i]
		switch d := digits[i]; {
		case d == 0:
			*den = one
		case p.IsIdentity():
			*den = one
			s.alone = append(s.alone, i)
		default:
			if den.sub(&row[magnitude(d)-1].x, &p.x).isZero() {
				*den = one
				s.alone = append(s.alone, i)
			}
		}
		products[i+1].mul(&products[i], den)
	}
	for _, i := range s.alone { // a sum that is 0, or that is this multiple or its negative
		q := row[magnitude(digits[i])-1].NegateIf(digits[i] < 0)
		sum := Jacobian{points[i].x, points[i].y, one}
		if points[i].IsIdentity() {
			sum = Jacobian{}
		}
		points[i] = Affine(*sum.AddPoint(&q))[0]
		digits[i] = 0
	}
	var inverse, m, x, t element
	inverse.invert(&products[len(points)])
	for i := len(points) - 1; i >= 0; i-- {
		d := digits[i]
		if d == 0 { // its denominator is 1
			continue
		}
		p, q := &points[i], &row[magnitude(d)-1]
		m.mul(&inverse, &products[i])
		inverse.mul(&inverse, &dens[i])
		t.sub(t.negateIf(&q.y, d < 0), &p.y)
		m.mul(&m, &t)
		x.sub(x.sub(x.square(&m), &p.x), &q.x)
		t.sub(&p.x, &x)
		p.y.sub(t.mul(&t, &m), &p.y)
		p.x.set(&x)
	}
}

// magnitude is |d|.
func magnitude(d int16) int {
	sign := d >> 15
	return int(d ^ sign - sign)
}
