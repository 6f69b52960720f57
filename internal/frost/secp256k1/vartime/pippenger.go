package vartime

import "github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"

// pippenger returns the sum of the terms' scalars·points for many terms, by the
// bucket method. Each scalar is cut into signed digits of w bits. For one digit
// position, the points of the same digit are added up (negated for a negative
// digit), and a running sum weighs the digits. The positions join, highest
// first, by w doublings each.
//
// The additions within the digits are what is paid for. They are affine, and
// all of one round share an inversion: an addition costs six multiplications
// then, and eleven at least without.
func pippenger(terms []limbs, points []Point, w int) Jacobian {
	positions := digitPositions(terms, w)
	var sum Jacobian
	b := newBuckets(len(terms), w)
	for pos := positions - 1; pos >= 0; pos-- {
		for range w {
			sum.double()
		}
		b.fill(terms, points, pos)
		part := b.sum()
		sum.Add(&part)
	}
	return sum
}

// digitPositions is how many digits the longest scalar has, with one for the
// last carry.
func digitPositions(terms []limbs, w int) int {
	longest := 0
	for i := range terms {
		longest = max(longest, terms[i].bitLen())
	}
	return longest/w + 1
}

// digit returns the signed digit at a position of w bits, between -2^(w-1) and
// 2^(w-1). A digit's carry is the highest of its bits: a digit that has it set
// counts as negative, and the next one is one higher.
func (l *limbs) digit(pos, w int) int {
	d := int(window(l, pos*w) & (1<<w - 1))
	if d>>(w-1) == 1 {
		d -= 1 << w
	}
	if pos > 0 {
		d += int(window(l, pos*w-1) & 1)
	}
	return d
}

// window returns the 64 bits of l from bit position from on; zeros lie above.
func window(l *limbs, from int) uint64 {
	i, shift := from/64, from%64
	if i > 3 {
		return 0
	}
	v := l[i] >> shift
	if shift != 0 && i < 3 {
		v |= l[i+1] << (64 - shift)
	}
	return v
}

// buckets adds up the points of each digit. The points of bucket d are
// adjacent: counts[d] of them, from starts[d] on.
type buckets struct {
	w              int
	starts, counts []int
	digits         []int16
	terms          []signed // by bucket; what a position begins with
	points         []Point  // by bucket; what came of the first additions
	// What a round of additions needs.
	left, right   [roundSize]Point // of the first ones, whose terms lie anywhere
	from, to      [roundSize]int32 // of neighbours, and of where the sums go
	moves         [][2]int32       // of points that have no neighbour: from, to
	dens, scratch [roundSize]element
}

// signed is the place of a point, and whether it counts as negative.
type signed uint32

func (s signed) at(points []Point) Point {
	p := points[s>>1]
	if s&1 == 1 && !p.IsIdentity() {
		p.y.NegateIf(&p.y, ^uint64(0))
	}
	return p
}

// roundSize is how many additions share an inversion, which costs about as
// much as 40 additions.
const roundSize = 1024

func newBuckets(n, w int) *buckets {
	size := 1<<(w-1) + 1
	return &buckets{
		w: w, starts: make([]int, size), counts: make([]int, size),
		digits: make([]int16, n), terms: make([]signed, n), points: make([]Point, n),
	}
}

// fill sorts the points of a position into the buckets, and adds them in pairs once. Digit 0
// has none.
func (b *buckets) fill(terms []limbs, points []Point, pos int) {
	clear(b.counts)
	for i := range terms {
		d := terms[i].digit(pos, b.w)
		b.digits[i] = int16(d)
		b.counts[max(d, -d)]++
	}
	b.counts[0] = 0
	start := 0
	for d, n := range b.counts {
		b.starts[d] = start
		start += n
	}
	for i, d := range b.digits {
		switch {
		case d > 0:
			b.terms[b.starts[d]] = signed(i << 1)
			b.starts[d]++
		case d < 0:
			b.terms[b.starts[-d]] = signed(i<<1 | 1)
			b.starts[-d]++
		}
	}
	for d, n := range b.counts {
		b.starts[d] -= n
	}
	b.pair(points)
}

// sum adds neighbours in every bucket until hardly any has two, then weighs
// them: the sum over d of d times bucket d is that of all running sums from the
// highest d downwards.
func (b *buckets) sum() Jacobian {
	const few = 40 // additions that aren't worth an inversion
	for b.halve() > few {
	}
	var running, sum Jacobian
	for d := len(b.counts) - 1; d > 0; d-- {
		for i := range b.points[b.starts[d]:][:b.counts[d]] {
			running.AddPoint(&b.points[b.starts[d]+i])
		}
		sum.Add(&running)
	}
	return sum
}

// pair makes the buckets' points of their terms: sums of two, and one that is left over.
func (b *buckets) pair(points []Point) {
	n := 0
	flush := func() {
		addBlock(b.left[:n], b.left[:n], b.right[:n], b.dens[:n], b.scratch[:n])
		for i, to := range b.to[:n] {
			b.points[to] = b.left[i]
		}
		n = 0
	}
	for d, count := range b.counts {
		start := b.starts[d]
		bucket := b.terms[start:][:count]
		for i := 0; i+1 < count; i += 2 {
			b.left[n], b.right[n], b.to[n] = bucket[i].at(points), bucket[i+1].at(points), int32(start+i/2)
			if n++; n == roundSize {
				flush()
			}
		}
		if count%2 == 1 {
			b.points[start+count/2] = bucket[count-1].at(points)
		}
		b.counts[d] = (count + 1) / 2
	}
	flush()
}

// halve adds the points of every bucket in pairs, where they are, and returns the number of
// pairs. A sum takes the place of a point that is in an earlier pair, or in its own.
func (b *buckets) halve() (pairs int) {
	n := 0
	flush := func() {
		b.addNeighbours(n)
		pairs += n
		n = 0
	}
	for d, count := range b.counts {
		start := b.starts[d]
		for i := 0; i+1 < count; i += 2 {
			b.from[n], b.to[n] = int32(start+i), int32(start+i/2)
			if n++; n == roundSize {
				flush()
			}
		}
		if count > 1 && count%2 == 1 {
			b.moves = append(b.moves, [2]int32{int32(start + count - 1), int32(start + count/2)})
		}
		b.counts[d] = (count + 1) / 2
	}
	flush()
	return pairs
}

// addNeighbours makes n additions, and then the moves: what they overwrite has been added up.
func (b *buckets) addNeighbours(n int) {
	for i, from := range b.from[:n] {
		denominator(&b.dens[i], &b.points[from], &b.points[from+1])
	}
	field.InvertAll(b.dens[:n], b.scratch[:n])
	for i, from := range b.from[:n] {
		addWith(&b.points[b.to[i]], &b.points[from], &b.points[from+1], &b.dens[i])
	}
	for _, m := range b.moves {
		b.points[m[1]] = b.points[m[0]]
	}
	b.moves = b.moves[:0]
}
