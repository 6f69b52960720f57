package frost

import (
	"crypto/ecdh"
	"fmt"
)

// openShares opens the boxes of node index and adds up its shares. The caller
// checks the sums against the summed commitments, one constant time base
// multiplication for the whole batch, and wipes them.
func (s *session[S, P]) openShares(index int, own *ecdh.PrivateKey) ([]S, error) {
	sums, shares := make([]S, s.K), make([]S, s.K)
	defer clear(shares)
	for i := range s.deals {
		if err := s.openBox(shares, index, own, i); err != nil {
			clear(sums)
			return nil, err
		}
		for key := range sums {
			s.add(&sums[key], &sums[key], &shares[key])
		}
	}
	return sums, nil
}

// blameShares looks for the dealer whose shares do not fit its commitments and,
// in a resharing, what constants says of its constant terms.
func (s *session[S, P]) blameShares(
	index int, own *ecdh.PrivateKey, w *stream, constants func(i int) []multiples[S, P],
) error {
	shares := make([]S, s.K)
	defer clear(shares)
	points := make([]P, len(s.sums))
	for i := range s.deals {
		if err := s.openBox(shares, index, own, i); err != nil {
			return err
		}
		if err := s.commitments(points, i); err != nil {
			return err
		}
		sum := append(constants(i), s.values(index, points))
		if bad := s.firstBad(s.shareEquations(w, shares, sum...)); bad >= 0 {
			return &BlameError{Dealer: s.dealers[i], Code: CodeShare,
				Reason: fmt.Sprintf("share of key %d for node %d does not fit the commitments", bad, index)}
		}
	}
	return errInconsistent
}

// multiples are of one point for each key, factor·points[key]; without points there are none.
// All is public.
type multiples[S, P any] struct {
	factor *S
	points []P
}

// values is what the commitments say of the shares of node index.
func (s *session[S, P]) values(index int, commitments []P) multiples[S, P] {
	x := uint32(index + 1)
	v := multiples[S, P]{factor: s.small(1), points: s.evaluateVartime(commitments, s.committed(), x)}
	if s.resharing {
		v.factor = s.small(x)
	}
	return v
}

// shareEquations returns a function that adds to an equation the claim that a
// key's share is the sum of multiples.
func (s *session[S, P]) shareEquations(w *stream, shares []S, sum ...multiples[S, P]) func(*equation[S, P], int) {
	return func(e *equation[S, P], key int) {
		weight, product := s.weight(w), make([]S, 1)
		defer clear(product)
		s.mul(&product[0], weight, &shares[key])
		s.add(&e.base, &e.base, &product[0])
		for _, m := range sum {
			if len(m.points) == 0 {
				continue
			}
			scalar := new(S)
			s.mul(scalar, weight, m.factor)
			e.scalars = append(e.scalars, scalar)
			e.points = append(e.points, &m.points[key])
		}
	}
}

// openBox opens the i-th deal's box for node index into shares, one a key.
func (s *session[S, P]) openBox(shares []S, index int, own *ecdh.PrivateKey, i int) error {
	d, dealer := s.deals[i], s.dealers[i]
	aead, err := box(s.Params, own, &d.Ephemeral, &d.Ephemeral, dealer, index)
	if err != nil {
		return &BlameError{Dealer: dealer, Code: CodePoint, Reason: "ephemeral key of small order"}
	}
	plain, err := aead.Open(nil, boxNonce[:], d.Shares[index], s.digests[i][:])
	if err != nil {
		return &BlameError{Dealer: dealer, Code: CodeShare,
			Reason: fmt.Sprintf("box for node %d does not open", index)}
	}
	defer clear(plain)
	for key := range shares {
		if err := s.decodeScalar(&shares[key], plain[key*ScalarSize:][:ScalarSize]); err != nil {
			return &BlameError{Dealer: dealer, Code: CodeShare,
				Reason: fmt.Sprintf("share of key %d for node %d is not canonical", key, index)}
		}
	}
	return nil
}
