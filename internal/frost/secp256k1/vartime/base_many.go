package vartime

// manyBases is from how many multiples of G on shared inversions pay: there is one for
// each of 32 positions, which cost what 500 additions do.
const manyBases = 64

// AddBaseMults adds scalars[i]·G to each points[i], for public scalars. It panics if
// the lengths differ. Many at once cost half as much each: sums stay affine, all of
// them take the same position of their scalars at a time, and share its inversion.
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
	const block = 256
	var s baseSums
	for len(points) > 0 {
		n := min(block, len(points))
		s.add(points[:n], scalars[:n])
		points, scalars = points[n:], scalars[n:]
	}
}

// baseSums is what [AddBaseMults] needs for a block.
type baseSums struct {
	ks            []limbs
	negative      []bool
	addends       []Point
	dens, scratch []element
}

func (s *baseSums) add(points []Point, scalars []*Scalar) {
	if s.ks == nil {
		n := len(points)
		s.ks, s.negative, s.addends = make([]limbs, n), make([]bool, n), make([]Point, n)
		s.dens, s.scratch = make([]element, n), make([]element, n)
	}
	n := len(points)
	var minus Scalar
	for i, k := range scalars {
		// As in BaseMult: one of k and -k leaves no carry.
		if s.negative[i] = k.IsGreaterThanHalfN() == 1; s.negative[i] {
			k = minus.Negate(k)
		}
		s.ks[i] = limbsOf(k)
	}
	table := generatorTable()
	for pos := range table {
		for i := range n {
			d := s.ks[i].digit(pos, 8)
			q := &s.addends[i]
			switch {
			case d == 0:
				*q = Point{}
				continue
			case d > 0:
				*q = table[pos][d-1]
			default:
				*q = table[pos][-d-1]
			}
			if (d < 0) != s.negative[i] {
				q.y.negate(&q.y).reduce()
			}
		}
		addBlock(points, points, s.addends[:n], s.dens[:n], s.scratch[:n])
	}
}
