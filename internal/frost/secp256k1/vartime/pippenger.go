package vartime

// pippenger returns the sum of the terms' scalars·points for many terms, by the
// bucket method. Each scalar is cut into signed digits of w bits. For one digit
// position, the points of the same digit are added up, negated for a negative
// digit. The sums of all positions are then weighed together, see [weigh].
//
// The additions are what is paid for. All but the last few are affine, and
// all of one round share an inversion: an addition costs six multiplications
// then, and eleven at least without.
func pippenger(terms []limbs, points []Point, w int) Jacobian {
	positions := digitPositions(terms, w)
	b := newBuckets(len(terms), w)
	defer b.release()
	sums := make([]Point, positions*gridSize(w))
	for pos := range positions {
		b.fill(terms, points, pos)
		b.sum(sums[pos*gridSize(w):][:gridSize(w)])
	}
	return weigh(b.additions, sums, w)
}

// gridSize is how many sums a position has: one for each magnitude of a digit, 0 among them.
func gridSize(w int) int { return 1<<(w-1) + 1 }

// weigh returns the sum over all positions and magnitudes d of 2^(w·position)·d·sums[d],
// which it overwrites. Bit by bit: for each bit of d there is the sum of all that have it, and
// these join, highest first, by a doubling each.
//
// They are made like this, for all positions at once. In round r all but the bits 0 to r of
// an index are gone through, and the sums there hold: at an index that has none of these
// bits, all of the block of 2^(r+1) from there on, and at one that has bit j alone of them,
// what of that block has bit j. So a round joins two blocks to one by r+1 additions, and in
// the end sums[2^j] is what has bit j. Two additions a sum, most of them in the first rounds.
func weigh(a *additions, sums []Point, w int) Jacobian {
	a.between(sums, sums, sums)
	for r := range w - 1 {
		for from := 0; from < len(sums); from += gridSize(w) {
			for block := from; block < from+1<<(w-1); block += 2 << r {
				a.accumulate(sums, block, 1<<r)
				for j := range r {
					a.accumulate(sums, block+1<<j, 1<<r)
				}
			}
		}
		a.flush()
	}
	var sum Jacobian
	for from := len(sums) - gridSize(w); from >= 0; from -= gridSize(w) {
		for j := w - 1; j >= 0; j-- {
			sum.double()
			sum.AddPoint(&sums[from+1<<j])
		}
	}
	return sum
}

// accumulate adds to a sum the one that is some places behind it.
func (a *additions) accumulate(sums []Point, at, behind int) {
	switch p, q := &sums[at], &sums[at+behind]; {
	case q.IsIdentity():
	case p.IsIdentity():
		*p = *q
	default:
		a.add(place(at), place(at+behind), at)
	}
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
	*additions
	w              int
	starts, counts []int
	digits         []int16
	terms          []signed   // by bucket; what a position begins with
	points         []Point    // by bucket; what came of the first additions
	moves          [][2]int32 // of points that have no neighbour: from, to
}

func newBuckets(n, w int) *buckets {
	size := gridSize(w)
	return &buckets{
		additions: newAdditions(), w: w, starts: make([]int, size), counts: make([]int, size),
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

// sum adds neighbours in every bucket until none has two, and says what is left.
func (b *buckets) sum(sums []Point) {
	for b.halve() {
	}
	for d, n := range b.counts {
		if n == 1 {
			sums[d] = b.points[b.starts[d]]
		}
	}
}

// pair makes the buckets' points of their terms: sums of two, and one that is left over.
func (b *buckets) pair(points []Point) {
	b.between(points, points, b.points)
	for d, count := range b.counts {
		start := b.starts[d]
		bucket := b.terms[start:][:count]
		for i := 0; i+1 < count; i += 2 {
			b.add(bucket[i], bucket[i+1], start+i/2)
		}
		if count%2 == 1 {
			b.points[start+count/2] = bucket[count-1].at(points)
		}
		b.counts[d] = (count + 1) / 2
	}
	b.flush()
}

// halve adds the points of every bucket in pairs, where they are, and reports whether there
// was one. A sum takes the place of a point that is in an earlier pair, or in its own.
func (b *buckets) halve() (any bool) {
	b.between(b.points, b.points, b.points)
	b.moves = b.moves[:0]
	for d, count := range b.counts {
		start := b.starts[d]
		for i := 0; i+1 < count; i += 2 {
			b.add(place(start+i), place(start+i+1), start+i/2)
		}
		if count > 1 && count%2 == 1 {
			b.moves = append(b.moves, [2]int32{int32(start + count - 1), int32(start + count/2)})
		}
		any = any || count > 1
		b.counts[d] = (count + 1) / 2
	}
	b.flush()
	for _, m := range b.moves { // what they overwrite has been added up
		b.points[m[1]] = b.points[m[0]]
	}
	return any
}
