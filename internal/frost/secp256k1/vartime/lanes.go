package vartime

import "github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"

// laneSums adds points in pairs, eight at once.
type laneSums struct {
	// Of the eight at a place: the first points, their differences to the second ones, and in
	// each lane the product of all dx before.
	x, y, dx, dy, product [roundSize / field.LaneCount]field.Lanes
}

// add sets to[sum[i]] = p[left[i]] + q[right[i]], for as many as are a multiple of eight and at most
// roundSize. Both are proper, and their x are different. All points are read before the first
// sum is written.
func (l *laneSums) add(p, q, to []Point, left, right []signed, sum []int32) {
	const count = field.LaneCount
	if len(left) == 0 {
		return
	}
	var running field.Lanes
	running.Broadcast(&one)
	groups := len(left) / count
	for i := range groups {
		var x, y field.Lanes
		gather(&l.x[i], &l.y[i], p, (*[count]signed)(left[i*count:]))
		gather(&x, &y, q, (*[count]signed)(right[i*count:]))
		l.dx[i].Sub(&x, &l.x[i])
		l.dy[i].Sub(&y, &l.y[i])
		l.product[i] = running
		running.Mul(&running, &l.dx[i])
	}
	invertLanes(&running)
	for i := groups - 1; i >= 0; i-- {
		// The slope m is dy/dx; x3 = m² - x1 - x2 and y3 = m·(x1-x3) - y1.
		var m, x, y field.Lanes
		m.Mul(&running, &l.product[i])
		running.Mul(&running, &l.dx[i])
		m.Mul(&m, &l.dy[i])
		x.Sub(x.Square(&m), &l.dx[i])
		x.Sub(x.Sub(&x, &l.x[i]), &l.x[i])
		y.Sub(&l.x[i], &x)
		y.Sub(y.Mul(&y, &m), &l.y[i])
		scatter(to, (*[count]int32)(sum[i*count:]), &x, &y)
	}
}

// invertLanes inverts what is in each lane and not 0.
func invertLanes(l *field.Lanes) {
	var es, products [field.LaneCount]element
	for i := range es {
		l.Get(i, &es[i])
	}
	field.InvertAll(es[:], products[:])
	for i := range es {
		l.Set(i, &es[i])
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
