package vartime

import (
	"sync"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
)

// additions adds points in pairs, roundSize pairs to an inversion, which costs about as
// much as 40 additions, and eight at once where the processor can.
type additions struct {
	p, q, to []Point
	n        int
	left     [roundSize]signed // places in p
	right    [roundSize]signed // places in q
	sum      [roundSize]int32  // places in to
	twice    [roundSize]signed // places in p, of points that are added to themselves
	twiceSum [roundSize]int32
	alone    apart
	lanes    laneSums
}

const roundSize = 2048

// signed is the place of a point, and whether it counts as negative.
type signed uint32

// place is a point that counts as it is.
func place(i int) signed { return signed(i << 1) }

func (s signed) at(points []Point) Point {
	p := points[s>>1]
	if s&1 == 1 && !p.IsIdentity() {
		p.y.NegateIf(&p.y, ^uint64(0))
	}
	return p
}

// scratch is reused since it is large.
var scratch = sync.Pool{New: func() any { return new(additions) }}

// newAdditions returns what release takes back.
func newAdditions() *additions { return scratch.Get().(*additions) }

func (a *additions) release() {
	a.between(nil, nil, nil)
	a.n, a.alone.n = 0, 0 // a panic may have left some
	scratch.Put(a)
}

// between says where the two points of the additions to come are, and where their sums go.
func (a *additions) between(p, q, to []Point) { a.p, a.q, a.to = p, q, to }

// add has to[sum] = p + q, at the latest when flush returns: by then, neither may be asked
// for, but a sum may take a place from which an addition has been asked for before.
func (a *additions) add(p, q signed, sum int) {
	a.left[a.n], a.right[a.n], a.sum[a.n] = p, q, int32(sum)
	if a.n++; a.n == roundSize {
		a.flush()
	}
}

// flush makes all additions that are left.
func (a *additions) flush() {
	if !fastLanes {
		for i := range a.n {
			a.alone.add(a.left[i].at(a.p), a.right[i].at(a.q), a.sum[i])
		}
		a.alone.flush(a.to)
		a.n = 0
		return
	}
	n, doubles := 0, 0
	for i := range a.n {
		left, right, sum := a.left[i], a.right[i], a.sum[i]
		switch between(&a.p[left>>1], &a.q[right>>1], (left^right)&1 == 1) {
		case chord:
			a.left[n], a.right[n], a.sum[n] = left, right, sum
			n++
		case tangent:
			a.twice[doubles], a.twiceSum[doubles] = left, sum
			doubles++
		default:
			a.alone.add(left.at(a.p), right.at(a.q), sum)
		}
	}
	for ; n%field.LaneCount != 0; n++ { // the last one again
		a.left[n], a.right[n], a.sum[n] = a.left[n-1], a.right[n-1], a.sum[n-1]
	}
	for ; doubles%field.LaneCount != 0; doubles++ {
		a.twice[doubles], a.twiceSum[doubles] = a.twice[doubles-1], a.twiceSum[doubles-1]
	}
	l := &a.lanes
	l.begin()
	l.chords(a.p, a.q, a.left[:n], a.right[:n])
	l.tangents(a.p, a.twice[:doubles])
	l.invert()
	l.finishTangents(a.to, a.twiceSum[:doubles])
	l.finishChords(a.to, a.sum[:n])
	a.alone.flush(a.to)
	a.n = 0
}

// line is what gives the sum of two points.
type line int

const (
	noLine line = iota // one of them is the identity, or they are opposite
	chord
	tangent
)

// between says which line there is between p and q, or -q.
func between(p, q *Point, negative bool) line {
	switch {
	case p.IsIdentity() || q.IsIdentity():
		return noLine
	case p.x[0] != q.x[0] || p.x != q.x:
		return chord
	case (p.y == q.y) != negative:
		return tangent
	}
	return noLine
}

// apart are additions of any two points, one by one but for their inversion.
type apart struct {
	n              int
	p, q           [roundSize]Point
	sum            [roundSize]int32
	dens, products [roundSize]element
}

func (a *apart) add(p, q Point, sum int32) {
	a.p[a.n], a.q[a.n], a.sum[a.n] = p, q, sum
	a.n++
}

func (a *apart) flush(to []Point) {
	if a.n == 0 {
		return // without an inversion
	}
	sums := a.p[:a.n]
	addBlock(sums, sums, a.q[:a.n], a.dens[:a.n], a.products[:a.n])
	for i, sum := range a.sum[:a.n] {
		to[sum] = sums[i]
	}
	a.n = 0
}
