package field

import "math/bits"

// LaneCount is how many elements are one [Lanes].
const LaneCount = 8

// Lanes are eight elements, on which each operation works at once where the processor has
// AVX-512 IFMA ([FastLanes]): limb i of element j is at [i][j]. An element has five limbs, which
// count 2^(52i), the lowest first.
//
// Every operation takes limbs below 2^52, as the multiplications do, which see no other bits.
// Every one leaves tight elements: limbs below 2^52, the highest below 2^48 + 2^6, so that they
// are below 2^256 + 2^214. Only what [Lanes.Sub] and [Lanes.Negate] subtract has to be tight,
// or at least to have a highest limb below 2^49 - 1. So there are no magnitudes to keep account of.
//
// Why nothing overflows is said at the methods of lane and those with Generic in their name, which do
// limb by limb what the assembly does.
type Lanes [5][LaneCount]uint64

const (
	mask52 = 1<<52 - 1
	mask48 = 1<<48 - 1
	fold60 = fold << 4 // 2^260 modulo p
)

// Broadcast sets all lanes to e.
func (l *Lanes) Broadcast(e *Element) *Lanes {
	for i := range LaneCount {
		l.Set(i, e)
	}
	return l
}

// Set sets a lane to e, which need not be reduced.
func (l *Lanes) Set(at int, e *Element) {
	l[0][at] = e[0] & mask52
	l[1][at] = (e[0]>>52 | e[1]<<12) & mask52
	l[2][at] = (e[1]>>40 | e[2]<<24) & mask52
	l[3][at] = (e[2]>>28 | e[3]<<36) & mask52
	l[4][at] = e[3] >> 16
}

// Get sets e to a lane, reduced.
func (l *Lanes) Get(at int, e *Element) *Element {
	// What is above 2^256 counts fold times; it has four bits, and what that carries has one.
	var c uint64
	l0, l1, l2, l3, l4 := l[0][at], l[1][at], l[2][at], l[3][at], l[4][at]
	e[0], c = bits.Add64(l0|l1<<52, fold*(l4>>48), 0)
	e[1], c = bits.Add64(l1>>12|l2<<40, 0, c)
	e[2], c = bits.Add64(l2>>24|l3<<28, 0, c)
	e[3], c = bits.Add64(l3>>36|l4<<16, 0, c)
	e[0] += fold & -c // what the carry left is below 2^37
	return e.Reduce()
}

// Negate sets l = -a, for a tight a.
func (l *Lanes) Negate(a *Lanes) *Lanes { return l.Sub(&Lanes{}, a) }

// lane are the limbs of one element.
type lane [5]uint64

// low52 and high52 are the halves of the product of 52 bits each: what the processor's
// multiplications add to 64 bits.
func low52(x, y uint64) uint64 { return x * y & mask52 }

func high52(x, y uint64) uint64 {
	h, l := bits.Mul64(x&mask52, y&mask52)
	return h<<12 | l>>52
}

func (l *Lanes) lane(at int) lane { return lane{l[0][at], l[1][at], l[2][at], l[3][at], l[4][at]} }

func (l *Lanes) setLane(at int, v *lane) {
	l[0][at], l[1][at], l[2][at], l[3][at], l[4][at] = v[0], v[1], v[2], v[3], v[4]
}

// tighten brings limbs below 2^58 to less than 2^52, and the highest to less than 2^48 + 2^6,
// as at most that much is carried there. above, which is below 2^42, counts 2^256 times: what it
// and the bits of the highest limb above 48 come to is below 2^43, times fold below 2^76.
func (v *lane) tighten(above uint64) {
	above += v[4] >> 48
	v[4] &= mask48
	v[0] += low52(above, fold)
	v[1] += high52(above, fold)
	for i := range 4 {
		v[i+1] += v[i] >> 52
		v[i] &= mask52
	}
}

// mulGeneric: each of the ten columns of the product sums up at most ten halves, so it is below 2^56.
// The upper five are carried, and as factors are below 2^260 the last one of them is below 2^52
// then. Times fold60, which has 37 bits, they give two halves to each of the lower five, and
// to one above them less than 2^37.
func (l *Lanes) mulGeneric(a, b *Lanes) {
	for i := range LaneCount {
		x, y := a.lane(i), b.lane(i)
		var r [10]uint64
		for j := range 5 {
			for k := range 5 {
				r[j+k] += low52(x[k], y[j])
				r[j+k+1] += high52(x[k], y[j])
			}
		}
		var v lane
		for j := range 4 {
			r[j+6] += r[j+5] >> 52
		}
		for j := range 5 {
			v[j] = r[j] + low52(r[j+5], fold60)
		}
		for j := range 4 {
			v[j+1] += high52(r[j+5], fold60)
		}
		v.tighten(high52(r[9], fold60) << 4)
		l.setLane(i, &v)
	}
}

func (l *Lanes) addGeneric(a, b *Lanes) {
	for i := range LaneCount {
		x, y := a.lane(i), b.lane(i)
		for j := range 5 {
			x[j] += y[j]
		}
		x.tighten(0)
		l.setLane(i, &x)
	}
}

// twice has limbs that are those of p twice: none of a tight element is larger.
var twice = lane{2 * (1<<52 - fold), 2 * mask52, 2 * mask52, 2 * mask52, 2 * mask48}

func (l *Lanes) subGeneric(a, b *Lanes) {
	for i := range LaneCount {
		x, y := a.lane(i), b.lane(i)
		for j := range 5 {
			x[j] += twice[j] - y[j]
		}
		x.tighten(0)
		l.setLane(i, &x)
	}
}
