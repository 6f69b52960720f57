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
	block := baseBlock
	if fastLanes {
		block = roundSize
	}
	for len(points) > 0 {
		n := min(block, len(points))
		s.add(points[:n], scalars[:n])
		points, scalars = points[n:], scalars[n:]
	}
}

// baseBlock bounds the scratch space of [AddBaseMults], but where additions have their own.
const baseBlock = 512

// baseSums is what [AddBaseMults] needs for a block.
type baseSums struct {
	digits         []int16 // by position
	dens, products []element
	touched        uint64 // for nothing but that the table is read
	alone          []int  // sums that can't be added to by the chord
}

func (s *baseSums) add(points []Point, scalars []*Scalar) {
	n := len(points)
	if s.digits == nil {
		s.digits = make([]int16, (baseLast+1)*n)
	}
	for i, k := range scalars {
		baseDigits(k, s.digits[i:], n)
	}
	if fastLanes {
		addRowsInLanes(points, s.digits)
		return
	}
	if s.dens == nil {
		s.dens, s.products = make([]element, n), make([]element, n+1)
	}
	for pos, row := range wideTable() {
		s.addRow(points, row, s.digits[pos*n:][:n])
	}
	for i := range points {
		points[i].x.ReduceVartime()
		points[i].y.ReduceVartime()
	}
}

// addRowsInLanes adds to each point what its digits say.
func addRowsInLanes(points []Point, digits []int16) {
	a := newAdditions()
	defer a.release()
	n := len(points)
	for pos, row := range wideTable() {
		a.between(points, row, points)
		for i, d := range digits[pos*n:][:n] {
			if d != 0 {
				entry := place(magnitude(d) - 1)
				a.add(place(i), entry|signed(uint16(d)>>15), i)
			}
		}
		a.flush()
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
			if den.Sub(&row[magnitude(d)-1].x, &p.x).IsZeroVartime() {
				*den = one
				s.alone = append(s.alone, i)
			}
		}
		products[i+1].Mul(&products[i], den)
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
	var inverse element
	inverse.Invert(&products[len(points)])
	var c chords
	for i := len(points) - 1; i >= 0; {
		c.n = 0
		for ; i >= 0 && c.n < len(c.p); i-- {
			d := digits[i]
			if d == 0 { // its denominator is 1
				continue
			}
			n := c.n
			c.p[n], c.q[n] = &points[i], &row[magnitude(d)-1]
			c.m[n].Mul(&inverse, &products[i])
			inverse.Mul(&inverse, &dens[i])
			c.t[n].Sub(c.t[n].NegateIf(&c.q[n].y, uint64(int64(d>>15))), &c.p[n].y)
			c.n++
		}
		c.add()
	}
}

// chords are a few additions that are done step by step together, so that no step waits
// for the one before.
type chords struct {
	n    int
	p, q [8]*Point
	m    [8]element // 1/(x of q - x of p)
	t    [8]element // y of ±q - y of p
	x    [8]element
}

// add sets p = p ± q.
func (c *chords) add() {
	for i := range c.n {
		c.m[i].Mul(&c.m[i], &c.t[i])
	}
	for i := range c.n {
		c.x[i].Square(&c.m[i])
	}
	for i := range c.n {
		x := &c.x[i]
		x.Sub(x.Sub(x, &c.p[i].x), &c.q[i].x)
		c.t[i].Sub(&c.p[i].x, x)
	}
	for i := range c.n {
		c.t[i].Mul(&c.t[i], &c.m[i])
	}
	for i := range c.n {
		p := c.p[i]
		p.y.Sub(&c.t[i], &p.y)
		p.x.Set(&c.x[i])
	}
}

// magnitude is |d|.
func magnitude(d int16) int {
	sign := d >> 15
	return int(d ^ sign - sign)
}
