//go:build amd64 && !purego

package edwards25519

import (
	"unsafe"

	"filippo.io/edwards25519/field"
)

// worthwhileSum is from how many terms on a sum in lanes takes less time than curve25519-voi's.
const worthwhileSum = 200

// sumLanes is eight sums in extended coordinates, and what an addition needs beside.
type sumLanes struct {
	x, y, z, t lanes
	scratch    [12]lanes
}

// term is what an addition needs of a public point, in limbs below 2^52: those of y+x and y-x in turns,
// of 2dt and of 2z, and four words that fill it up.
type term [24]uint64

// termLanes is eight terms: y+x, y-x, 2dt and 2z.
type termLanes [4]lanes

// addIFMA adds a term to each sum, or subtracts it where the lane's bit of minus is 1.
//
//go:noescape
func addIFMA(p *sumLanes, terms *[8]*term, minus uint8)

// doubleIFMA sets p = 2p in each lane.
//
//go:noescape
func doubleIFMA(p *sumLanes)

// addTermsIFMA sets p = p + q in each lane.
//
//go:noescape
func addTermsIFMA(p *sumLanes, q *termLanes)

// termsIFMA sets q to what is to be added for p, and twoD is 2d.
//
//go:noescape
func termsIFMA(q *termLanes, p *sumLanes, twoD *lanes)

// limbs are those of a field element: five of 51 bits, with a little more. That this is how elements are
// kept is looked at by seesCoordinates.
func limbs(e *field.Element) *[5]uint64 { return (*[5]uint64)(unsafe.Pointer(e)) }

func (q *term) set(p *extended) {
	var x, plus, minus, dt, z field.Element
	x.Add(&p.x, &x) // carried, as what is subtracted has to be
	plus.Add(&p.y, &x)
	minus.Subtract(&p.y, &x)
	dt.Multiply(&p.t, &twoD)
	z.Add(&p.z, &p.z)
	for i := range 5 {
		q[2*i], q[2*i+1], q[10+i], q[15+i] = limbs(&plus)[i], limbs(&minus)[i], limbs(&dt)[i], limbs(&z)[i]
	}
}

// get sets a term to that of a lane.
func (q *term) get(l *termLanes, lane int) {
	j := lane & 7
	for i := range 5 {
		q[2*i], q[2*i+1], q[10+i], q[15+i] = l[0][i][j], l[1][i][j], l[2][i][j], l[3][i][j]
	}
}

var (
	laneOnes     = lanes{{1, 1, 1, 1, 1, 1, 1, 1}}
	laneIdentity = sumLanes{y: laneOnes, z: laneOnes}
	noTerm       = term{0: 1, 1: 1, 15: 2}
	laneTwoD     = inEachLane(&twoD)
)

// sumTermsVartime returns the sum of the terms' multiples by canonical scalars, as [sumVartime] does.
// Eight of the sums of terms with the same digit are added up at once, those with about as many terms
// together.
func sumTermsVartime(scalars [][ScalarSize]byte, terms []term) extended {
	width := max(digitBits(scalars), 4)
	digits, halves := make([]digitised, len(terms)), halfOfEach(width)
	for i := range digits {
		digits[i].set(&scalars[i], halves)
	}
	b := newBuckets(len(terms), 1<<(width-1))
	sum := identity()
	for pos := positions(width) - 1; pos >= 0; pos-- {
		for i := range width {
			sum.double(i == width-1)
		}
		b.sort(digits, pos, width)
		b.add(terms)
		b.addTo(&sum)
	}
	return sum
}

// buckets are the sums of terms with the same digit.
type buckets struct {
	places []int32 // of each bucket in the list, and the end
	list   []int32 // terms, sorted by buckets; twice their index, and 1 if it is to be subtracted
	found  []int32 // the digit of each term
	bySize []int32 // the buckets, those with the most terms first
	sums   []term
	q      termLanes
	p, run sumLanes
}

func newBuckets(terms, count int) *buckets {
	return &buckets{
		places: make([]int32, count+1), list: make([]int32, terms), found: make([]int32, terms),
		bySize: make([]int32, count), sums: make([]term, count),
	}
}

// mostApart is from which size on buckets are in any order.
const mostApart = 64

// sort lists the terms of each bucket, digit d's at |d|-1, and orders these by size.
func (b *buckets) sort(digits []digitised, pos, width int) {
	clear(b.places)
	for i := range digits {
		d := int32(digits[i].at(pos, width))
		b.found[i] = d
		if d != 0 {
			b.places[max(d, -d)-1]++
		}
	}
	var sizes [mostApart + 1]int32
	for _, n := range b.places[:len(b.sums)] {
		sizes[min(n, mostApart)]++
	}
	before := int32(0)
	for n := mostApart; n >= 0; n-- {
		before, sizes[n] = before+sizes[n], before
	}
	sum := int32(0)
	for i, n := range b.places {
		if i < len(b.sums) {
			at := &sizes[min(n, mostApart)]
			b.bySize[*at] = int32(i)
			*at++
		}
		sum += n
		b.places[i] = sum // the end, until the list is filled backwards
	}
	for i, d := range b.found {
		if d != 0 {
			sign := d >> 31
			at := &b.places[(d^sign)-sign-1]
			*at--
			b.list[*at] = int32(i)<<1 | sign&1
		}
	}
}

// add adds up the terms of all buckets.
func (b *buckets) add(terms []term) {
	var next [8]*term
	for from := 0; from < len(b.bySize); from += 8 {
		group := (*[8]int32)(b.bySize[from:])
		var at, left [8]int32
		most := int32(0)
		for lane, bucket := range group {
			at[lane] = b.places[bucket]
			left[lane] = b.places[bucket+1] - at[lane]
			most = max(most, left[lane])
		}
		b.p = laneIdentity
		for k := range most {
			minus := uint8(0)
			for lane := range next {
				next[lane] = &noTerm
				if k < left[lane] {
					t := b.list[at[lane]+k]
					next[lane] = &terms[t>>1]
					minus |= uint8(t&1) << lane
				}
			}
			addIFMA(&b.p, &next, minus)
		}
		termsIFMA(&b.q, &b.p, &laneTwoD)
		for lane, bucket := range group {
			b.sums[bucket].get(&b.q, lane)
		}
	}
}

// addTo adds d times the sum of each digit d. With an eighth of the digits in each lane, j·m+1 to j·m+m,
// its sums are added up from the highest on, and so are these sums: that is d-j·m times each.
func (b *buckets) addTo(sum *extended) {
	m := len(b.sums) / 8
	b.run, b.p = laneIdentity, laneIdentity
	for i := m - 1; i >= 0; i-- {
		var next [8]*term
		for lane := range next {
			next[lane] = &b.sums[lane*m+i]
		}
		addIFMA(&b.run, &next, 0)
		termsIFMA(&b.q, &b.run, &laneTwoD)
		addTermsIFMA(&b.p, &b.q)
	}
	above, more := identity(), identity()
	for lane := 7; lane > 0; lane-- {
		run := b.run.get(lane)
		above.addExtended(&run)
		more.addExtended(&above)
	}
	for ; m > 1; m /= 2 {
		more.double(true)
	}
	sum.addExtended(&more)
	for lane := range 8 {
		p := b.p.get(lane)
		sum.addExtended(&p)
	}
}

func (p *sumLanes) get(lane int) (q extended) {
	p.x.get(lane, &q.x)
	p.y.get(lane, &q.y)
	p.z.get(lane, &q.z)
	p.t.get(lane, &q.t)
	return q
}

// multiScalarMultTogether is [MultiScalarMultVartime] in lanes; ok is whether that is worth it.
func multiScalarMultTogether(scalars []*Scalar, points []*Point) (sum *Point, ok bool) {
	if !hasLanes || len(points) < worthwhileSum || len(points) != len(scalars) || !seesCoordinates() {
		return nil, false
	}
	encoded, terms := make([][ScalarSize]byte, len(points)), make([]term, len(points))
	for i := range points {
		encoded[i] = EncodeScalar(scalars[i])
		terms[i].set(coordinates(points[i]))
	}
	sum = new(Point)
	*coordinates(sum) = sumTermsVartime(encoded, terms)
	return sum, true
}

// sumTogether is [sumVartime] in lanes; ok is whether that is worth it.
func sumTogether(scalars [][ScalarSize]byte, points []Affine) (sum extended, ok bool) {
	if !hasLanes || len(points) < worthwhileSum || !seesCoordinates() {
		return sum, false
	}
	terms := make([]term, len(points))
	for i := range points {
		p := points[i].extend()
		terms[i].set(&p)
	}
	return sumTermsVartime(scalars, terms), true
}
