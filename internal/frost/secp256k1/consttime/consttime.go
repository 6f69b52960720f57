// Package consttime multiplies G of secp256k1 by many secret scalars at once, in constant
// time. It is for what is drawn at random: nonces, and the coefficients of polynomials.
//
// secp256k1-voi multiplies one scalar at a time, by complete formulas in projective
// coordinates, and inverts once for each point that leaves. Here sums stay affine, and the
// inversion that an affine addition takes is shared by all scalars of a batch (Montgomery's
// trick, as constant in time as its one exponentiation is): an addition comes to five
// multiplications, a square and a part of the inversion, instead of twelve multiplications, and
// nothing is left to invert in the end. docs/adr/0035-batched-base-multiplication.md has the
// argument why nothing but a public result depends on a scalar.
package consttime

import (
	"sync"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/field"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// Scalar is secp256k1-voi's, with constant time arithmetic.
type Scalar = secp.Scalar

const (
	// few is below how many scalars each is multiplied alone: 42 inversions are too many for them.
	few = 7
	// fewInLanes is the same where there are lanes, and their table: few don't wait for that.
	fewInLanes = 2
	// block bounds the scratch space: 64 KiB, which stay near the processor.
	block = 256
)

// BaseMults returns scalars[i]·G, in constant time for secret scalars. What it returns is public
// from there on: coordinates are affine and reduced, so that they say no more than the points do.
// Only a scalar of 0 gives the identity.
//
// Three scalars of all take longer than the others, 0 among them; a uniform one is none of
// these with a probability of 1 - 2^-254.
func BaseMults(scalars []*Scalar) []vartime.Point {
	points := make([]vartime.Point, len(scalars))
	switch {
	case field.FastLanes() && (len(scalars) >= few || len(scalars) >= fewInLanes && hasWideTable()):
		multiplyInLanes(scalars, points)
	case len(scalars) >= few:
		baseMults(make([]lane, blockSize(len(scalars), block)), scalars, points)
	default:
		baseMultEach(scalars, points)
	}
	return points
}

// blockSize divides n into blocks of about the same size, of which none exceeds the most.
func blockSize(n, most int) int {
	blocks := max(1, (n+most-1)/most)
	return (n + blocks - 1) / blocks
}

// baseMults sets points[i] = scalars[i]·G, and wipes the lanes.
func baseMults(lanes []lane, scalars []*Scalar, points []vartime.Point) {
	defer clear(lanes)
	for from := 0; from < len(scalars); from += len(lanes) {
		n := min(len(lanes), len(scalars)-from)
		multiply(lanes[:n], scalars[from:from+n], points[from:from+n])
	}
}

// baseMultEach sets points[i] = scalars[i]·G.
func baseMultEach(scalars []*Scalar, points []vartime.Point) {
	for i, s := range scalars {
		points[i] = baseMult(s)
	}
}

// baseMult is one multiplication, which secp256k1-voi does in constant time.
func baseMult(s *Scalar) vartime.Point {
	return vartime.FromPoint(secp.NewIdentityPoint().ScalarBaseMult(s))
}

// scratches are wiped.
var scratches = sync.Pool{New: func() any { return new(scratch) }}

// multiplyInLanes sets points[i] = scalars[i]·G.
func multiplyInLanes(scalars []*Scalar, points []vartime.Point) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	for size := blockSize(len(scalars), groups*field.LaneCount); len(scalars) > 0; {
		n := min(size, len(scalars))
		multiplyGroups(s, scalars[:n], points[:n])
		scalars, points = scalars[n:], points[n:]
	}
}

// multiplyGroups is multiplyInLanes for as many scalars as fit, and wipes the scratch space.
func multiplyGroups(s *scratch, scalars []*Scalar, points []vartime.Point) {
	groups := (len(scalars) + field.LaneCount - 1) / field.LaneCount
	defer s.wipe(groups)
	for i := range groups * field.LaneCount {
		s.recode(i, scalars[min(i, len(scalars)-1)]) // the last lanes have the last scalar once more
	}
	s.pickAll(wideTable(), groups)
	for n := wideDigits * groups; n > groups; n /= 2 {
		s.add(s.sums[:n])
	}
	if s.missed != 0 { // with no uniform scalar: see BaseMults
		baseMultEach(scalars, points)
		return
	}
	for i := range points {
		x, y := s.finish(i)
		points[i] = vartime.PointOf(&x, &y)
	}
}

// multiply is baseMults for as many scalars as lanes, which it does not wipe.
func multiply(lanes []lane, scalars []*Scalar, points []vartime.Point) {
	for i := range lanes {
		lanes[i].recode(scalars[i])
	}
	sum(lanes, baseTable())
	for i := range lanes {
		l := &lanes[i]
		if l.missed != 0 { // of no uniform scalar: see BaseMults
			points[i] = baseMult(scalars[i])
			continue
		}
		l.finish()
		points[i] = vartime.PointOf(&l.x, &l.y)
	}
}

// sum adds up what the lanes' digits say.
func sum(lanes []lane, table [][]entry) {
	begin(lanes, table[0])
	for pos, row := range table[1:] {
		inverse := choose(lanes, row, pos+1)
		inverse.Invert(&inverse)
		for rest := lanes; len(rest) > 0; {
			from := max(0, len(rest)-together)
			add(rest[from:], &inverse)
			rest = rest[:from]
		}
	}
}
