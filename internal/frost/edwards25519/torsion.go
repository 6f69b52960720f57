package edwards25519

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// TorsionFreeVartime reports whether all points are in the prime-order group, the identity
// included. Public data only. If one is not, it says so except with a probability of 2^-64,
// whatever those who made the points knew and did: they could not know what random, a
// cryptographic source, gives afterwards, 8 bytes a point. If reading that fails, the answer is
// false.
//
// A few points are multiplied by the group order one at a time. For many, it is 64 sums of
// random subsets, in each of which every point is with a probability of a half. A point is
// the sum of one in the prime-order group and one of order 1, 2, 4 or 8, t. If some t is not
// the identity, take all subsets as chosen but for whether that point is in: of the two
// sums of t's that this makes at most one is the identity. So each sum hides the t's with
// a probability of a half at most, and as subsets are chosen independently, all 64 do with
// 2^-64.
func TorsionFreeVartime(random io.Reader, points []Affine) bool {
	if len(points) < manySubsets {
		return eachTorsionFree(points)
	}
	which := make([]byte, subsets/8*len(points))
	if _, err := io.ReadFull(random, which); err != nil {
		return false
	}
	terms := make([]cached, len(points))
	for i := range points {
		terms[i] = points[i].cache()
	}
	if len(points) < manyForBytes {
		return subsetsTorsionFree(terms, which, 4)
	}
	return subsetsTorsionFree(terms, which, 8)
}

const (
	subsets = 64
	// manySubsets is from how many points on subsets cost less than points.
	manySubsets = 80
	// manyForBytes is from how many points on eight subsets at a time cost less than four.
	manyForBytes = 256
)

// subsetsTorsionFree computes the sums of width subsets at a time, with 64/width additions a
// point: a point is added to the sum of those that are in the same ones of these subsets.
// which are 8 bytes a point: the subsets that it is in.
func subsetsTorsionFree(terms []cached, which []byte, width int) bool {
	sums, found := make([]extended, 1<<width), make([]extended, 0, subsets)
	for from := 0; from < subsets; from += width {
		for i := range sums {
			sums[i] = identity()
		}
		for i := range terms {
			bucket := binary.LittleEndian.Uint64(which[8*i:]) >> from & (1<<width - 1)
			sums[bucket].add(&terms[i], 0)
		}
		for half := len(sums) / 2; half > 0; half /= 2 {
			in := identity() // the subset of this bit
			for i := range sums[:half] {
				in.addExtended(&sums[half+i])
				sums[i].addExtended(&sums[half+i])
			}
			found = append(found, in)
		}
	}
	points := make([]Affine, len(found))
	affine(points, found)
	return eachTorsionFree(points)
}

// eachTorsionFree multiplies by the group order: in the other library, which takes half as
// long, a square root for the change included.
func eachTorsionFree(points []Affine) bool {
	for i := range points {
		encoded := points[i].Encode()
		if p, err := decompress(encoded[:]); err != nil || !isTorsionFreeVartime(p) {
			return false
		}
	}
	return true
}

// AddSmallMultsVartime adds to each point by[i] times of[i]. Public data only. It
// panics if the lengths differ.
func AddSmallMultsVartime(points, of []Affine, by []byte) {
	if len(points) != len(of) || len(points) != len(by) {
		panic("edwards25519: as many multiples as points are needed")
	}
	sums := make([]extended, len(points))
	for i := range points {
		term, own := of[i].cache(), points[i].cache()
		sums[i] = identity()
		for bit := bits.Len8(by[i]) - 1; bit >= 0; bit-- {
			sums[i].double(true)
			if by[i]>>bit&1 == 1 {
				sums[i].add(&term, 0)
			}
		}
		sums[i].add(&own, 0)
	}
	affine(points, sums)
}
