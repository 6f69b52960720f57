package frost

import (
	"fmt"
	"slices"
)

// The two batch checks. Many equations of the form s·G = sum of points become
// one: each is multiplied by a random weight of 128 bits and all are added. If
// one of them is wrong, the sum holds with probability 2^-128, provided that the
// author of the equations could not predict the weights.

// equation states base·G = sum of scalars[i]·points[i].
type equation[S, P any] struct {
	base    S // may be secret
	scalars []*S
	points  []*P
}

func (e *equation[S, P]) wipe() { e.base = *new(S) }

// grow makes room for so many more points.
func (e *equation[S, P]) grow(n int) {
	e.scalars, e.points = slices.Grow(e.scalars, n), slices.Grow(e.points, n)
}

// holds is constant time in base and variable time in the rest.
func (s *session[S, P]) holds(e *equation[S, P]) bool {
	return s.isSumVartime(s.baseMult(&e.base), e.scalars, e.points)
}

// weights returns the stream of random weights. Its key hashes all that the
// equations depend on together with the node's host key, a secret that no dealer
// knows: unpredictable without a random source.
func (s *session[S, P]) weights(index int, host *[32]byte, more ...[]byte) *stream {
	parts := [][]byte{host[:], s.Context[:], uint32Bytes(index)}
	for i, d := range s.deals {
		parts = append(parts, s.digests[i][:], d.Shares[index])
	}
	parts = append(parts, more...)
	key := Hash("frostfleet/dkg/weights/v1", parts...)
	defer clear(key[:])
	return newStream(&key)
}

// weight draws the next weight.
func (s *session[S, P]) weight(w *stream) *S {
	w.read(w.drawn[:])
	v := new(S)
	s.reduce(v, w.drawn[:])
	return v
}

// proof is a decoded proof of knowledge with its challenge:
// response·G = nonce + challenge·A_0.
type proof[S, P any] struct {
	nonce               P
	response, challenge S
}

// proofs decodes the proofs of a dealer, one a key.
func (s *session[S, P]) proofs(dealer int) ([]proof[S, P], error) {
	d, size := s.deals[dealer], s.Suite.PointSize()
	if len(d.Proofs) == 0 {
		return nil, &BlameError{Dealer: dealer, Code: CodeMalformed, Reason: "without its proofs"}
	}
	out, nonces, points := make([]proof[S, P], s.K), make([]byte, 0, s.K*size), make([]P, s.K)
	for b := range slices.Chunk(d.Proofs, size+ScalarSize) {
		nonces = append(nonces, b[:size]...)
	}
	refused, err := s.decodeDealt(points, nonces)
	for key := range out {
		b := d.Proofs[key*(size+ScalarSize):][:size+ScalarSize]
		if key == refused {
			return nil, &BlameError{Dealer: dealer, Code: pointCode(err),
				Reason: fmt.Sprintf("proof of key %d: %v", key, err)}
		}
		out[key].nonce = points[key]
		if err := s.decodeScalar(&out[key].response, b[size:]); err != nil {
			return nil, &BlameError{Dealer: dealer, Code: CodeProof,
				Reason: fmt.Sprintf("proof of key %d: the scalar is not canonical", key)}
		}
		h := challenge(s.Params, dealer, key, d.Commitments[key*s.T*size:][:size], b[:size])
		s.reduce(&out[key].challenge, h[:])
	}
	return out, nil
}

// addProof adds one proof of knowledge to an equation.
func (s *session[S, P]) addProof(e *equation[S, P], w *stream, dealer, key int, p *proof[S, P]) {
	weight, products := s.weight(w), make([]S, 2)
	weighted, product := &products[0], &products[1]
	s.mul(product, weight, &p.response)
	s.add(&e.base, &e.base, product)
	s.mul(weighted, weight, &p.challenge)
	e.scalars = append(e.scalars, weight, weighted)
	e.points = append(e.points, &p.nonce, &s.firsts[dealer][key])
}

// checkProofs checks the proofs of all dealers but node index itself in one equation, as FROST's
// key generation has it (Komlo and Goldberg 2020, figure 1): whoever made a deal knows what its
// proofs say. Only if the equation fails does it look for the dealer and the key.
func (s *session[S, P]) checkProofs(w *stream, index int) error {
	all := make([][]proof[S, P], s.N)
	var e equation[S, P]
	e.grow(2 * (s.N - 1) * s.K)
	for i := range all {
		if i == index {
			continue
		}
		var err error
		if all[i], err = s.proofs(i); err != nil {
			return err
		}
		for key := range all[i] {
			s.addProof(&e, w, i, key, &all[i][key])
		}
	}
	if s.holds(&e) {
		return nil
	}
	for i := range all {
		if i == index {
			continue
		}
		add := func(e *equation[S, P], key int) { s.addProof(e, w, i, key, &all[i][key]) }
		if bad := s.firstBad(add); bad >= 0 {
			return &BlameError{Dealer: i, Code: CodeProof,
				Reason: fmt.Sprintf("proof of key %d does not verify", bad)}
		}
	}
	return errInconsistent
}

// allHold checks the equations of keys from one on and before another at once.
func (s *session[S, P]) allHold(add func(e *equation[S, P], key int), from, to int) bool {
	var e equation[S, P]
	defer e.wipe()
	e.grow(to - from)
	for key := from; key < to; key++ {
		add(&e, key)
	}
	return s.holds(&e)
}

// firstBad returns the first key whose equation does not hold, -1 if all do.
func (s *session[S, P]) firstBad(add func(e *equation[S, P], key int)) int {
	if s.allHold(add, 0, s.K) {
		return -1
	}
	for key := range s.K {
		if !s.allHold(add, key, key+1) {
			return key
		}
	}
	return -1
}
