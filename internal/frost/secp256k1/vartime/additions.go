package vartime

// additions adds points in pairs, roundSize pairs to an inversion, which costs about as
// much as 40 additions.
type additions struct {
	from, to      []Point
	n             int
	p, q          [roundSize]signed // places in from
	sum           [roundSize]int32  // places in to
	left, right   [roundSize]Point
	dens, scratch [roundSize]element
}

const roundSize = 1024

// signed is the place of a point, and whether it counts as negative.
type signed uint32

func (s signed) at(points []Point) Point {
	p := points[s>>1]
	if s&1 == 1 && !p.IsIdentity() {
		p.y.NegateIf(&p.y, ^uint64(0))
	}
	return p
}

// between says where the points of the additions to come are, and where their sums go.
func (a *additions) between(from, to []Point) { a.from, a.to = from, to }

// add has to[sum] = p + q, at the latest when flush returns: by then, neither may be asked
// for, but a sum may take a place from which an addition has been asked for before.
func (a *additions) add(p, q signed, sum int) {
	a.p[a.n], a.q[a.n], a.sum[a.n] = p, q, int32(sum)
	if a.n++; a.n == roundSize {
		a.flush()
	}
}

// flush makes all additions that are left.
func (a *additions) flush() {
	left, right := a.left[:a.n], a.right[:a.n]
	for i := range left {
		left[i], right[i] = a.p[i].at(a.from), a.q[i].at(a.from)
	}
	addBlock(left, left, right, a.dens[:a.n], a.scratch[:a.n])
	for i, to := range a.sum[:a.n] {
		a.to[to] = left[i]
	}
	a.n = 0
}
