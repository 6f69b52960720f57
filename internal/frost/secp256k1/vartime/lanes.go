package vartime

import (
	"encoding/binary"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
)

// fastLanes says whether eight at once are faster.
var fastLanes = field.FastLanes()

// laneSums adds points in pairs, eight at once, in the order of its methods here. All points are
// read before the first sum is written. What a method takes is a multiple of eight, and there are at most
// roundSize of both kinds; rest is one group that may be what a kind is filled up with.
type laneSums struct {
	n int // groups of eight so far
	// Of a group: the first points, the slopes' numerators and denominators, and in each lane
	// the product of all denominators before.
	x, y, num, den, product [roundSize/field.LaneCount + 1]field.Lanes
	running                 field.Lanes
}

func (l *laneSums) begin() {
	l.n = 0
	l.running.Broadcast(&one)
}

// next ends a group.
func (l *laneSums) next() {
	l.product[l.n] = l.running
	l.running.Mul(&l.running, &l.den[l.n])
	l.n++
}

// chords has p[left[i]] + q[right[i]] made, where both are proper and their x differ: the slope is
// (y2-y1)/(x2-x1).
func (l *laneSums) chords(p, q []Point, left, right []signed) {
	const count = field.LaneCount
	for ; len(left) > 0; left, right = left[count:], right[count:] {
		var x, y field.Lanes
		i := l.n
		gather(&l.x[i], &l.y[i], p, (*[count]signed)(left))
		gather(&x, &y, q, (*[count]signed)(right))
		l.den[i].Sub(&x, &l.x[i])
		l.num[i].Sub(&y, &l.y[i])
		l.next()
	}
}

// tangents has 2·p[twice[i]] made: the slope is 3x²/2y.
func (l *laneSums) tangents(p []Point, twice []signed) {
	const count = field.LaneCount
	var zero field.Lanes
	for ; len(twice) > 0; twice = twice[count:] {
		i := l.n
		gather(&l.x[i], &l.y[i], p, (*[count]signed)(twice))
		xx := new(field.Lanes).Square(&l.x[i])
		l.num[i].Add(l.num[i].Add(xx, xx), xx)
		l.den[i].Sub(l.den[i].Sub(&zero, &l.y[i]), &l.y[i]) // -2y
		l.num[i].Negate(&l.num[i])
		l.next()
	}
}

// invert inverts the product of all denominators of each lane.
func (l *laneSums) invert() {
	if l.n == 0 {
		return
	}
	var es, products [field.LaneCount]element
	for i := range es {
		l.running.Get(i, &es[i])
	}
	field.InvertAll(es[:], products[:])
	for i := range es {
		l.running.Set(i, &es[i])
	}
}

// slope goes back to the group before, and returns its slopes.
func (l *laneSums) slope() (m field.Lanes) {
	l.n--
	m.Mul(&l.running, &l.product[l.n])
	l.running.Mul(&l.running, &l.den[l.n])
	m.Mul(&m, &l.num[l.n])
	return m
}

// finish writes the sums of a group, given m and m² less what x2 - x1 is: x3 = m² - x1 - x2 and
// y3 = m·(x1-x3) - y1.
func (l *laneSums) finish(to []Point, sum []int32, m, x *field.Lanes) {
	var y field.Lanes
	first := &l.x[l.n]
	x.Sub(x.Sub(x, first), first)
	y.Sub(y.Mul(y.Sub(first, x), m), &l.y[l.n])
	scatter(to, (*[field.LaneCount]int32)(sum), x, &y)
}

func (l *laneSums) finishTangents(to []Point, sum []int32) {
	var x field.Lanes
	for i := len(sum) - field.LaneCount; i >= 0; i -= field.LaneCount {
		m := l.slope()
		x.Square(&m)
		l.finish(to, sum[i:], &m, &x)
	}
}

func (l *laneSums) finishChords(to []Point, sum []int32) {
	var x field.Lanes
	for i := len(sum) - field.LaneCount; i >= 0; i -= field.LaneCount {
		m := l.slope()
		x.Sub(x.Square(&m), &l.den[l.n])
		l.finish(to, sum[i:], &m, &x)
	}
}

// gatherGeneric sets x and y to the coordinates of the points at eight places. The limbs of a y
// are those of 2p less its own where the point counts as negative: fit for [field.Lanes.Sub], as
// what is subtracted, too, and for nothing else.
func gatherGeneric(x, y *field.Lanes, points []Point, places *[field.LaneCount]signed) {
	for i, at := range places {
		p := &points[at>>1]
		x.Set(i, &p.x)
		y.Set(i, &p.y)
		if at&1 == 1 {
			for j := range y {
				y[j][i] = twice[j] - y[j][i]
			}
		}
	}
}

// twice has limbs that are those of p twice, all larger than those of a reduced element.
var twice = [5]uint64{2*(1<<52-1) - 2*(1<<32+976), 2 * (1<<52 - 1), 2 * (1<<52 - 1), 2 * (1<<52 - 1), 2 * (1<<48 - 1)}

// scatterGeneric sets the points at eight places to those with coordinates that are tight.
func scatterGeneric(points []Point, places *[field.LaneCount]int32, x, y *field.Lanes) {
	for i, at := range places {
		x.Get(i, &points[at].x)
		y.Get(i, &points[at].y)
	}
}

// decodeInLanes is DecodeInto for as many points as it returns, none of which is refused: it stops
// before eight among which there may be one.
func decodeInLanes(points []Point, b []byte) (read int) {
	const count = field.LaneCount
	var x, y, d, rest field.Lanes
	rest.Broadcast(&seven)
	for ; len(points)-read >= count; read += count {
		eight := points[read:][:count]
		fromWire(eight, b[read*PointSize:][:count*PointSize])
		gather(&x, &y, eight, &firstEight)
		d.Add(d.Mul(d.Square(&x), &x), &rest)
		d.Sub(&d, new(field.Lanes).Square(&y))
		for i := range count {
			// A coordinate that is not below p has the largest highest limb.
			if x[4][i] == 1<<48-1 || y[4][i] == 1<<48-1 || !isZeroLane(&d, i) {
				return read
			}
		}
	}
	return read
}

var firstEight = [field.LaneCount]signed{0, 2, 4, 6, 8, 10, 12, 14}

// isZeroLane reports whether a lane of a tight l is 0 modulo p, as which it is 0 or p.
func isZeroLane(l *field.Lanes, i int) bool {
	return l[0][i]|l[1][i]|l[2][i]|l[3][i]|l[4][i] == 0 ||
		2*l[0][i] == twice[0] && l[1][i]&l[2][i]&l[3][i] == 1<<52-1 && l[4][i] == 1<<48-1
}

// fromWireGeneric reads the coordinates of eight wire points, whether they are reduced or not.
func fromWireGeneric(points []Point, b []byte) {
	for i := range points {
		for j := range 4 {
			points[i].x[3-j] = binary.BigEndian.Uint64(b[i*PointSize+8*j:])
			points[i].y[3-j] = binary.BigEndian.Uint64(b[i*PointSize+32+8*j:])
		}
	}
}
