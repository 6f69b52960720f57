package vartime

import (
	"sync"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
)

// additions adds points in pairs, roundSize pairs to an inversion, which costs about as
// much as 40 additions, and eight at once where the processor can.
type additions struct {
	p, q, to  []Point
	n         int
	left      [roundSize]signed // places in p
	right     [roundSize]signed // places in q
	sum       [roundSize]int32  // places in to
	alone     apart
	laneSums  laneSums
	fastLanes bool
}

const roundSize = 1024

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
func newAdditions() *additions {
	a := scratch.Get().(*additions)
	a.fastLanes = field.FastLanes()
	return a
}

func (a *additions) release() {
	a.between(nil, nil, nil)
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
	n := 0 // as many are made in lanes
	for i := range a.n {
		left, right, sum := a.left[i], a.right[i], a.sum[i]
		if p, q := &a.p[left>>1], &a.q[right>>1]; !a.fastLanes || !haveChord(p, q) {
			a.alone.add(left.at(a.p), right.at(a.q), sum)
			continue
		}
		a.left[n], a.right[n], a.sum[n] = left, right, sum
		n++
	}
	for ; n%field.LaneCount != 0; n++ { // the last one again
		a.left[n], a.right[n], a.sum[n] = a.left[n-1], a.right[n-1], a.sum[n-1]
	}
	a.laneSums.add(a.p, a.q, a.to, a.left[:n], a.right[:n], a.sum[:n])
	a.alone.flush(a.to)
	a.n = 0
}

// haveChord reports whether two points are neither the identity, nor equal, nor opposite.
func haveChord(p, q *Point) bool {
	return (p.x[0] != q.x[0] || p.x != q.x) && !p.IsIdentity() && !q.IsIdentity()
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
	sums := a.p[:a.n]
	addBlock(sums, sums, a.q[:a.n], a.dens[:a.n], a.products[:a.n])
	for i, sum := range a.sum[:a.n] {
		to[sum] = sums[i]
	}
	a.n = 0
}
