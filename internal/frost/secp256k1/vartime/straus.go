package vartime

// straus returns the sum of scalars[i]·points[i] for few points: every scalar is
// split in two of 128 bits, those are written in digits that are odd and
// rare, and all of them share one run of doublings. No point is the identity.
func straus(scalars []limbs, points []Point) Jacobian {
	tables, z := oddMultiples(points)
	digits := make([][2]naf, len(points))
	length := 0
	for i := range scalars {
		k1, k2 := scalars[i].split()
		length = max(length, digits[i][0].set(&k1), digits[i][1].set(&k2))
	}
	var sum Jacobian
	for pos := length - 1; pos >= 0; pos-- {
		sum.double()
		for i := range digits {
			if d := digits[i][0][pos]; d != 0 {
				q := tables[i].at(d)
				sum.addProper(&q)
			}
			if d := digits[i][1][pos]; d != 0 {
				q := tables[i].at(d)
				q.x.Mul(&q.x, &beta)
				sum.addProper(&q)
			}
		}
	}
	sum.z.Mul(&sum.z, &z)
	return sum
}

// nafWidth is the number of bits that a digit spans.
const nafWidth = 5

// naf is a scalar of up to 129 bits in digits, lowest first, each of them 0 or
// odd and below 2^(nafWidth-1), any two of which have nafWidth-1 zeros between
// them: the width-w non-adjacent form.
type naf [130 + nafWidth]int8

// set writes t and returns the number of digits.
func (n *naf) set(t *term) (length int) {
	k, sign := t.abs, int8(1)
	if t.negative {
		sign = -1
	}
	carry := uint64(0)
	for pos := 0; pos < 130; {
		word := window(&k, pos)
		if word&1 == carry {
			pos++
			continue
		}
		d := int8(word&(1<<nafWidth-1) + carry)
		carry = uint64(d) >> (nafWidth - 1)
		n[pos] = sign * (d - int8(carry)<<nafWidth)
		length = pos + 1
		pos += nafWidth
	}
	return length
}

// table is P, 3P, 5P, ... 15P.
type table [1 << (nafWidth - 2)]Point

// at returns d·P for an odd d, on the curve of the table; its y is not reduced.
func (t *table) at(d int8) Point {
	if d > 0 {
		return t[d>>1]
	}
	p := t[-d>>1]
	p.y.Negate(&p.y)
	return p
}

// oddMultiples returns each point's table, all of them on the curve that (x, y)
// -> (x·z², y·z³) maps this one to. The formulas are the same there, as they
// do not use b; a result belongs here once its Z is multiplied by z. So the
// tables are affine without an inversion.
//
// Every table entry is made of the one before by an addition that multiplies Z
// by a known ratio. Going back from the last entry, the product of the ratios
// is what brings an entry to the last one's Z. (The idea is libsecp256k1's.)
func oddMultiples(points []Point) ([]table, element) {
	tables := make([]table, len(points))
	ratios := make([][len(tables[0])]element, len(points))
	z := one
	for i := range points {
		// The point with this z, and its double, whose own Z is left out of
		// the coordinates: everything is on the curve where the double is affine.
		var zz element
		p := Jacobian{points[i].x, points[i].y, z}
		if i > 0 {
			zz.Square(&z)
			p.x.Mul(&p.x, &zz)
			p.y.Mul(&p.y, zz.Mul(&zz, &z))
		}
		d := Jacobian{p.x, p.y, one}
		d.double()
		double := Point{d.x, d.y}
		zz.Square(&d.z)
		q := Jacobian{z: one}
		q.x.Mul(&p.x, &zz)
		q.y.Mul(&p.y, zz.Mul(&zz, &d.z))
		tables[i][0], ratios[i][0] = Point{q.x, q.y}, d.z
		for j := 1; j < len(tables[i]); j++ {
			ratios[i][j] = q.addProper(&double)
			tables[i][j] = Point{q.x, q.y}
		}
		z.Mul(z.Mul(&z, &d.z), &q.z)
	}
	back := one
	for i := len(points) - 1; i >= 0; i-- {
		for j := len(tables[i]) - 1; j >= 0; j-- {
			t := &tables[i][j]
			var zz element
			zz.Square(&back)
			t.x.Mul(&t.x, &zz)
			t.y.Mul(&t.y, zz.Mul(&zz, &back))
			back.Mul(&back, &ratios[i][j])
		}
	}
	return tables, z
}
