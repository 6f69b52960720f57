//go:build amd64 && !purego

package edwards25519

// worthwhileSums is from how many short sums on eight together take less time than curve25519-voi's.
const worthwhileSums = 3

// digitWidth is the bits of a digit of a short sum's scalars: each point has a table of 16 multiples.
const digitWidth = 5

// shortSums are eight sums of as many terms each, in lanes.
type shortSums struct {
	p      sumLanes
	q      [2]termLanes
	digits [][8]digitised // by term and lane
	tables [][8][1 << (digitWidth - 1)]term
}

// multiScalarMultsTogether is [MultiScalarMultsVartime] in lanes, and reports whether that is worth it.
func multiScalarMultsTogether(out []Point, scalars []Scalar, points []Affine) bool {
	if !hasLanes || len(out) < worthwhileSums || !seesCoordinates() {
		return false
	}
	terms := len(points) / len(out)
	s := shortSums{digits: make([][8]digitised, terms), tables: make([][8][1 << (digitWidth - 1)]term, terms)}
	for from := 0; from < len(out); from += 8 {
		block := out[from:min(from+8, len(out))]
		s.set(len(block), scalars[from*terms:], points[from*terms:])
		s.add(len(block))
		for lane := range block {
			*coordinates(&block[lane]) = s.p.get(lane)
		}
	}
	return true
}

// set finds the digits of the scalars and the multiples of the points, of so many lanes.
func (s *shortSums) set(count int, scalars []Scalar, points []Affine) {
	halves, terms := halfOfEach(digitWidth), len(s.tables)
	for i := range s.tables {
		s.p.z = laneOnes
		for lane := range count {
			b, point := EncodeScalar(&scalars[lane*terms+i]), &points[lane*terms+i]
			s.digits[i][lane].set(&b, halves)
			s.p.x.set(lane, &point.x)
			s.p.y.set(lane, &point.y)
		}
		multiplyIFMA(&s.p.t, &s.p.x, &s.p.y)
		termsIFMA(&s.q[0], &s.p, &laneTwoD)
		s.q[1] = s.q[0]
		for multiple := range s.tables[i][0] {
			if multiple > 0 {
				addTermsIFMA(&s.p, &s.q[0])
				termsIFMA(&s.q[1], &s.p, &laneTwoD)
			}
			for lane := range count {
				s.tables[i][lane][multiple].get(&s.q[1], lane)
			}
		}
	}
}

// add adds up the sums of so many lanes, from the highest digits on: Straus' method.
func (s *shortSums) add(count int) {
	s.p = laneIdentity
	for pos := positions(digitWidth) - 1; pos >= 0; pos-- {
		for range digitWidth {
			doubleIFMA(&s.p)
		}
		for i := range s.tables {
			next, minus := [8]*term{}, uint8(0)
			for lane := range next {
				next[lane] = &noTerm
				if lane >= count {
					continue
				}
				if d := s.digits[i][lane].at(pos, digitWidth); d > 0 {
					next[lane] = &s.tables[i][lane][d-1]
				} else if d < 0 {
					next[lane] = &s.tables[i][lane][-d-1]
					minus |= 1 << lane
				}
			}
			addIFMA(&s.p, &next, minus)
		}
	}
}
