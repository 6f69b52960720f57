//go:build amd64 && !purego

package edwards25519

import (
	"encoding/binary"
	"math"

	"filippo.io/edwards25519/field"
)

// worthwhileRoots is from how many points on eight together take less time than one after the other.
const worthwhileRoots = 3

func decodeAffines(points []Affine, encoded []byte) (refused int) {
	var r rootLanes
	for from := 0; from < len(points); from += 8 {
		block, decode := points[from:min(from+8, len(points))], r.decode
		if !hasLanes || len(block) < worthwhileRoots {
			decode = decodeEach
		}
		if bad := decode(block, encoded[from*PointSize:]); bad >= 0 {
			return from + bad
		}
	}
	return -1
}

// rootLanes are up to eight encoded points on their way to x, as root is one. Public data.
type rootLanes struct {
	x, y, yy, u, v, uv3, power, check, other lanes
	scratch                                  [3]lanes
}

var laneD, laneRootOfMinusOne = inEachLane(&d), inEachLane(&rootOfMinusOne)

func inEachLane(e *field.Element) (l lanes) {
	for i := range 8 {
		l.set(i, e)
	}
	return l
}

// decode decodes up to eight points, and returns the place of the first that is none, or -1.
func (r *rootLanes) decode(points []Affine, encoded []byte) (refused int) {
	refused = -1
	for i := range points {
		b := encoded[i*PointSize:][:PointSize]
		if !isCanonical(b) {
			points, refused = points[:i], i
			break
		}
		r.y.setBytes(i, b)
	}
	r.begin()
	r.power.pow22523(&r.scratch)
	r.finish()
	for i := range points {
		if !r.point(&points[i], i, encoded[i*PointSize:][:PointSize]) {
			return i
		}
	}
	return refused
}

// isCanonical reports whether the number in the lower 255 bits is below p.
func isCanonical(b []byte) bool {
	word := binary.LittleEndian.Uint64
	return word(b) < math.MaxUint64-18 || word(b[24:])|1<<63 != math.MaxUint64 ||
		word(b[8:]) != math.MaxUint64 || word(b[16:]) != math.MaxUint64
}

// begin sets what is to be raised to (p-5)/8, as root has it.
func (r *rootLanes) begin() {
	squareIFMA(&r.yy, &r.y, 1)
	multiplyIFMA(&r.v, &r.yy, &laneD)
	addLanesIFMA(&r.v, &r.v, &laneOnes)
	subtractLanesIFMA(&r.u, &r.yy, &laneOnes)
	multiplyIFMA(&r.uv3, &r.u, &r.v)
	squareIFMA(&r.check, &r.v, 1)
	multiplyIFMA(&r.uv3, &r.uv3, &r.check)
	squareIFMA(&r.power, &r.check, 1)
	multiplyIFMA(&r.power, &r.power, &r.uv3)
}

// finish sets x to a root of u/v or to one of -u/v, and other to that times √-1: check is 0 in the one
// case, and 2u more in the other.
func (r *rootLanes) finish() {
	multiplyIFMA(&r.x, &r.uv3, &r.power)
	squareIFMA(&r.check, &r.x, 1)
	multiplyIFMA(&r.check, &r.check, &r.v)
	multiplyIFMA(&r.other, &r.x, &laneRootOfMinusOne)
	addLanesIFMA(&r.power, &r.check, &r.u)
	subtractLanesIFMA(&r.check, &r.check, &r.u)
}

// point sets a point of a lane, and reports whether there is one.
func (r *rootLanes) point(p *Affine, lane int, encoded []byte) bool {
	x := &r.x
	if !r.check.isZeroVartime(lane) {
		if x = &r.other; !r.power.isZeroVartime(lane) {
			return false
		}
	}
	x.get(lane, &p.x)
	r.y.get(lane, &p.y)
	if p.x.IsNegative() != int(encoded[31]>>7) {
		if p.x.Equal(new(field.Element)) == 1 {
			return false
		}
		p.x.Negate(&p.x)
	}
	return true
}

// multiplyByEightTogether sets what out returns to 8 times the points, and reports whether that is worth
// it. Public data.
func multiplyByEightTogether(out func(i int) *extended, points []Affine) bool {
	if !hasLanes || len(points) < worthwhileRoots {
		return false
	}
	var p sumLanes
	for from := 0; from < len(points); from += 8 {
		block := points[from:min(from+8, len(points))]
		p.z = laneOnes
		for i := range block {
			p.x.set(i, &block[i].x)
			p.y.set(i, &block[i].y)
		}
		for range 3 {
			doubleIFMA(&p)
		}
		for i := range block {
			*out(from + i) = p.get(i)
		}
	}
	return true
}
