package vartime

import "math/bits"

// MultiScalarMult returns the sum of scalars[i]·points[i]. Few points go to
// interleaved tables, many to the bucket method, which takes advantage of short
// scalars: half the bits cost half the time. It panics if the lengths differ.
func MultiScalarMult(scalars []*Scalar, points []Point) Jacobian {
	if len(scalars) != len(points) {
		panic("vartime: as many scalars as points are needed")
	}
	terms, at := make([]limbs, 0, 2*len(points)), make([]Point, 0, 2*len(points))
	for i, s := range scalars {
		if l := limbsOf(s); l != (limbs{}) && !points[i].IsIdentity() {
			terms, at = append(terms, l), append(at, points[i])
		}
	}
	m := plan(terms)
	switch {
	case m.w == 0:
		return straus(terms, at)
	case m.split:
		terms, at = splitAll(terms, at)
	}
	return pippenger(terms, at, m.w)
}

// method is the bucket method with digits of w bits, with or without splitting the
// long scalars, or for w = 0 the method of interleaved tables.
type method struct {
	w     int
	split bool
}

// plan chooses the method with the fewest field multiplications, roughly.
func plan(terms []limbs) method {
	var whole, halves load
	for i := range terms {
		n := terms[i].bitLen()
		whole.add(n)
		halves.add(min(n, halfBits))
		if n > halfBits {
			halves.add(halfBits)
		}
	}
	// The doublings of 128 bits; for each point a table and 2·128/6 additions.
	best, cost := method{}, 128*8+len(terms)*600
	addition := 7
	if fastLanes {
		addition = 3
	}
	for w := 3; w <= 14; w++ {
		for _, m := range []method{{w, false}, {w, true}} {
			l := &whole
			if m.split {
				l = &halves
			}
			if c := l.cost(w, addition); c < cost {
				best, cost = m, c
			}
		}
	}
	return best
}

// halfBits is the length of a split scalar.
const halfBits = 128

// load is how many bits there are to add up, and in the longest scalar.
type load struct{ bits, longest int }

func (l *load) add(n int) {
	l.bits += n
	l.longest = max(l.longest, n)
}

// cost is the number of field multiplications with digits of w bits, of which an addition costs
// as many as said: one for every digit, two more for every bucket and position, and besides
// some five inversions a position.
func (l *load) cost(w, addition int) int {
	return addition*l.bits/w + (l.longest/w+1)*(2*addition<<(w-1)+1500)
}

// splitAll splits the scalars that are longer than 128 bits.
func splitAll(terms []limbs, points []Point) ([]limbs, []Point) {
	for i := range terms {
		if terms[i].bitLen() <= halfBits {
			continue
		}
		k1, k2 := terms[i].split()
		p := points[i]
		terms[i], points[i] = k1.abs, p.NegateIf(k1.negative)
		p.x.Mul(&p.x, &beta).ReduceVartime()
		terms, points = append(terms, k2.abs), append(points, p.NegateIf(k2.negative))
	}
	return terms, points
}

// EvaluateAt evaluates the polynomial in the exponent whose coefficients are
// the commitments, constant term first, at x: the sum of x^c·commitments[c], by
// Horner's rule with a double-and-add by the few bits of x. Without commitments
// the result is the identity.
func EvaluateAt(commitments []Point, x uint32) Jacobian {
	var sum Jacobian
	for c := len(commitments) - 1; c >= 0; c-- {
		sum = multSmall(&sum, x)
		sum.AddPoint(&commitments[c])
	}
	return sum
}

// EvaluateAllAt is EvaluateAt for many polynomials of count commitments each, one behind the
// other, at one x that is not 0. Each step of Horner's rule is made for all of them, with one
// inversion.
func EvaluateAllAt(commitments []Point, count int, x uint32) []Point {
	if x == 0 {
		panic("vartime: a polynomial's value at 0 is its constant term")
	}
	if count == 0 {
		return nil
	}
	values := make([]Point, len(commitments)/count)
	once, next := make([]Point, len(values)), make([]Point, len(values))
	for c := count - 1; c >= 0; c-- {
		for i := range next {
			next[i] = commitments[i*count+c]
		}
		if c == count-1 {
			copy(values, next)
			continue
		}
		copy(once, values)
		for bit := bits.Len32(x) - 2; bit >= 0; bit-- {
			AddAll(values, values)
			if x>>bit&1 == 1 {
				AddAll(values, once)
			}
		}
		AddAll(values, next)
	}
	return values
}

// multSmall returns x·p.
func multSmall(p *Jacobian, x uint32) Jacobian {
	var product Jacobian
	for i := bits.Len32(x) - 1; i >= 0; i-- {
		product.double()
		if x>>i&1 == 1 {
			product.Add(p)
		}
	}
	return product
}
