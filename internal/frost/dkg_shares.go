package frost

import (
	"crypto/ecdh"
	"fmt"
)

// openShares opens the boxes of node index, adds up its shares and checks the
// sums against the summed commitments, one constant time base multiplication
// for the whole batch. The caller wipes the result.
func (s *session[S, P]) openShares(index int, own *ecdh.PrivateKey, w *stream) ([]S, error) {
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
	if s.allHold(s.shareEquations(w, index, sums, s.sums), 0, s.K) {
		return sums, nil
	}
	clear(sums)
	return nil, s.blameShares(index, own, w)
}

// blameShares looks for the dealer whose shares do not fit its commitments.
func (s *session[S, P]) blameShares(index int, own *ecdh.PrivateKey, w *stream) error {
	shares := make([]S, s.K)
	defer clear(shares)
	points := make([]P, s.K*s.T)
	for i := range s.deals {
		if err := s.openBox(shares, index, own, i); err != nil {
			return err
		}
		if err := s.commitments(points, i); err != nil {
			return err
		}
		if bad := s.firstBad(s.shareEquations(w, index, shares, points)); bad >= 0 {
			return &BlameError{Dealer: i, Code: CodeShare,
				Reason: fmt.Sprintf("share of key %d for node %d does not fit the commitments", bad, index)}
		}
	}
	return errInconsistent
}

// shareEquations returns a function that adds to an equation the claim that a
// key's share is the value at index+1 of the polynomial behind its T commitments.
func (s *session[S, P]) shareEquations(w *stream, index int, shares []S, commitments []P) func(*equation[S, P], int) {
	x := s.small(uint32(index + 1))
	return func(e *equation[S, P], key int) {
		coefficient, product := s.weight(w), make([]S, 1)
		defer clear(product)
		s.mul(&product[0], coefficient, &shares[key])
		s.add(&e.base, &e.base, &product[0])
		for c := range s.T {
			e.scalars = append(e.scalars, coefficient)
			e.points = append(e.points, &commitments[key*s.T+c])
			next := new(S)
			s.mul(next, coefficient, x)
			coefficient = next
		}
	}
}

// openBox opens the dealer's box for node index into shares, one a key.
func (s *session[S, P]) openBox(shares []S, index int, own *ecdh.PrivateKey, dealer int) error {
	d := s.deals[dealer]
	aead, err := box(s.Params, own, &d.Ephemeral, &d.Ephemeral, dealer, index)
	if err != nil {
		return &BlameError{Dealer: dealer, Code: CodePoint, Reason: "ephemeral key of small order"}
	}
	plain, err := aead.Open(nil, boxNonce[:], d.Shares[index], s.digests[dealer][:])
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
