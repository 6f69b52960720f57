//go:build amd64 && !purego

package edwards25519

import (
	"encoding/binary"
	"math/bits"
	"sync"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// worthwhileBases is from how many secret multiples on eight together take less time than each alone.
const worthwhileBases = 2

// baseDigits is how many digits of six bits a scalar has.
const baseDigits = 43

// baseRow has what a digit chooses from: of the points (2j+1)·64^i·B of a place i the values (y+x)/2,
// (y-x)/2 and dxy, each limb of all 32 together.
type baseRow [3][5][32]uint64

// baseRows takes 161 KiB, and a millisecond when first needed. Public.
var baseRows = sync.OnceValue(func() *[baseDigits]baseRow {
	var half field.Element
	half.Invert(half.Add(&one, &one))
	rows, first := new([baseDigits]baseRow), edwards25519.NewGeneratorPoint()
	for i := range rows {
		var double edwards25519.Point
		x, y, z, t := double.Double(first).ExtendedCoordinates()
		points := []extended{{*x, *y, *z, *t}, {}}
		x, y, z, t = first.ExtendedCoordinates()
		points[1] = extended{*x, *y, *z, *t}
		row := make([]Affine, 33)
		affine(row[:1], points[:1])
		step := row[0].cache()
		for len(points) < len(row) {
			next := points[len(points)-1]
			next.add(&step, 0)
			points = append(points, next)
		}
		affine(row, points)
		for j := range row[1:] {
			c := row[j+1].cache()
			for k, e := range []*field.Element{&c.sums[0], &c.sums[1], &c.xy2d} {
				var l lanes
				l.set(0, e.Multiply(e, &half))
				for limb := range l {
					rows[i][k][limb][j] = l[limb][0]
				}
			}
		}
		for range 6 {
			first.Double(first)
		}
	}
	return rows
})

// multiplyBaseIFMA adds to each sum the multiple of the base point by u of its lane: the digits of
// u, six bits each, the lowest first, stand for twice their value less 63, which is odd, and are
// multiples of entries of the table or of their negatives: "Twisted Edwards Curves Revisited",
// Hisil, Wong, Carter and Dawson, 2008, section 3.1, with all coordinates halved. Constant time.
//
//go:noescape
func multiplyBaseIFMA(p *sumLanes, table *[baseDigits]baseRow, u *[5][8]uint64)

// baseLanes is scratch space for many multiples, eight to a group.
type baseLanes struct {
	sum            sumLanes
	scalars        [5][8]uint64
	product, power lanes
	powers         [3]lanes
	groups         []baseGroup
}

// baseGroup is eight points in projective coordinates, and the product of the Zs of the groups before.
type baseGroup struct{ x, y, z, before lanes }

// multiplyTogether is multiply in lanes, and reports whether there are some.
func (s secrets) multiplyTogether() bool {
	if !hasLanes || len(s) < worthwhileBases {
		return false
	}
	newBaseLanes(len(s)).multiplyOnce(s)
	return true
}

// multiplyOnce is multiply, and wipes the scratch space.
func (l *baseLanes) multiplyOnce(s secrets) {
	defer l.wipe()
	l.multiply(s)
}

func newBaseLanes(n int) *baseLanes {
	return &baseLanes{groups: make([]baseGroup, (n+7)/8)}
}

func (l *baseLanes) wipe() {
	clear(l.groups)
	*l = baseLanes{}
}

// multiply sets the affine points of as many secrets as there is space for. Lanes without one
// multiply by another number; Z is never 0 in them either.
func (l *baseLanes) multiply(s secrets) {
	l.product = laneOnes
	for i := range l.groups {
		part := s[8*i : min(8*i+8, len(s))]
		for j := range part {
			b := EncodeScalar(&part[j].scalar)
			l.setScalar(j, &b)
			clear(b[:])
		}
		l.sum = laneIdentity
		l.addTo(&l.groups[i])
	}
	l.divide(func(i int) *Affine { return &s[i].affine }, len(s))
}

// addVartime adds to as many points as there is space for the multiples of public scalars.
func (l *baseLanes) addVartime(points []Affine, scalars [][ScalarSize]byte) {
	l.product = laneOnes
	for i := range l.groups {
		part := points[8*i : min(8*i+8, len(points))]
		l.sum = laneIdentity
		for j := range part {
			l.sum.x.set(j, &part[j].x)
			l.sum.y.set(j, &part[j].y)
			l.setScalar(j, &scalars[8*i+j])
		}
		multiplyIFMA(&l.sum.t, &l.sum.x, &l.sum.y)
		l.addTo(&l.groups[i])
	}
	l.divide(func(i int) *Affine { return &points[i] }, len(points))
}

// addTo adds the multiples to the sum of each lane, which is the group's then.
func (l *baseLanes) addTo(g *baseGroup) {
	multiplyBaseIFMA(&l.sum, baseRows(), &l.scalars)
	g.x, g.y, g.z, g.before = l.sum.x, l.sum.y, l.sum.z, l.product
	multiplyIFMA(&l.product, &l.product, &g.z)
}

// divide sets affine points, count in all, to those of the groups.
func (l *baseLanes) divide(affine func(i int) *Affine, count int) {
	l.invertProduct()
	for i := len(l.groups) - 1; i >= 0; i-- {
		g := &l.groups[i]
		multiplyIFMA(&g.before, &g.before, &l.product) // the inverse of Z
		multiplyIFMA(&l.product, &l.product, &g.z)
		multiplyIFMA(&g.x, &g.x, &g.before)
		multiplyIFMA(&g.y, &g.y, &g.before)
		for j := range min(8, count-8*i) {
			p := affine(8*i + j)
			g.x.get(j, &p.x)
			g.y.get(j, &p.y)
		}
	}
}

// addTogether is [AddBaseMultsVartime] in lanes, and reports whether there are some.
func addTogether(points []Affine, scalars [][ScalarSize]byte) bool {
	if !hasLanes || len(points) == 0 {
		return false
	}
	for i := range scalars {
		if scalars[i][31] > 0x10 {
			panic("edwards25519: a scalar that is not canonical")
		}
	}
	newBaseLanes(len(points)).addVartime(points, scalars)
	return true
}

// invertProduct raises to p - 2 = 8(2^252 - 3) + 3.
func (l *baseLanes) invertProduct() {
	l.power = l.product
	l.power.pow22523(&l.powers)
	squareIFMA(&l.power, &l.power, 3)
	for range 3 {
		multiplyIFMA(&l.power, &l.power, &l.product)
	}
	l.product = l.power
}

// groupOrder is that of the base point, the lowest limb first.
var groupOrder = [4]uint64{0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 1 << 60}

// setScalar finds the digits of a scalar: with k the scalar or, if that is even, the scalar and the
// group order, which is odd, they are those of (k + 64^43 - 1)/2.
func (l *baseLanes) setScalar(lane int, b *[ScalarSize]byte) {
	var k [5]uint64
	even, carry := uint64(b[0]&1)-1, uint64(0)
	for i := range groupOrder {
		k[i], carry = bits.Add64(binary.LittleEndian.Uint64(b[8*i:]), groupOrder[i]&even, carry)
	}
	for i := range groupOrder {
		l.scalars[i][lane] = k[i]>>1 | k[i+1]<<63
	}
	l.scalars[4][lane] = 1 << (6*baseDigits - 1 - 4*64)
	clear(k[:])
}
