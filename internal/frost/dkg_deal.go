package frost

import (
	"crypto/ecdh"
	"fmt"
)

// dealing is what the deals of one session have in common, be it a key generation
// or a resharing. The N nodes of Params are those that the boxes are for.
type dealing struct {
	Params
	dealers   []int // who deals, in the order of the deals
	resharing bool  // constant terms are old shares, neither committed to nor proven
}

// generation is the dealing of a key generation: all nodes deal.
func (p Params) generation() *dealing {
	d := &dealing{Params: p}
	for i := range p.N {
		d.dealers = append(d.dealers, i)
	}
	return d
}

// committed is the number of commitments to a key in a deal, and lowest the power
// that the first of them is of.
func (d *dealing) committed() int { return d.T - d.lowest() }
func (d *dealing) lowest() int {
	if d.resharing {
		return 1
	}
	return 0
}

// newDeal is NewDeal for one group.
func newDeal[S, P any](g group[S, P], p Params, index int, seed *[32]byte) (*Deal, error) {
	if seed == nil {
		return nil, fmt.Errorf("key generation: a deal needs a seed")
	}
	coefficients := make([]S, p.K*p.T)
	defer clear(coefficients)
	randomScalars(g, coefficients, dealStream(p, index, seed, "coefficients"))
	return dealOut(g, p.generation(), index, seed, coefficients)
}

// dealOut makes the deal of given polynomials: K*T coefficients, key-major,
// constant term first.
func dealOut[S, P any](g group[S, P], s *dealing, index int, seed *[32]byte, coefficients []S) (*Deal, error) {
	p := s.Params
	ephemeral, err := ephemeralKey(p, index, seed)
	if err != nil {
		return nil, err
	}
	d := &Deal{
		Ephemeral:   [32]byte(ephemeral.PublicKey().Bytes()),
		Commitments: make([]byte, 0, p.K*s.committed()*p.Suite.PointSize()),
	}
	committed := make([]*S, 0, p.K*s.committed())
	for i := range coefficients {
		if i%p.T >= s.lowest() {
			committed = append(committed, &coefficients[i])
		}
	}
	d.Commitments = g.appendDealt(d.Commitments, committed)
	if !s.resharing {
		d.Proofs = prove(g, p, index, coefficients, d.Commitments, dealStream(p, index, seed, "nonces"))
		if p.Apart {
			hash := HashProofs(d.Proofs)
			d.ProofsHash = &hash
		}
	}
	err = d.seal(p, index, ephemeral, func(dst []byte, recipient int) []byte {
		return evaluate(g, p, dst, coefficients, recipient)
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// ephemeralKey derives the X25519 key that shares the boxes' keys. The
// standard library keeps a copy that can't be wiped.
func ephemeralKey(p Params, index int, seed *[32]byte) (*ecdh.PrivateKey, error) {
	var b [32]byte
	defer clear(b[:])
	s := dealStream(p, index, seed, "ephemeral")
	defer s.wipe()
	s.read(b[:])
	return ecdh.X25519().NewPrivateKey(b[:])
}

// randomScalars fills dst with uniform scalars and wipes the stream.
func randomScalars[S, P any](g group[S, P], dst []S, s *stream) {
	defer s.wipe()
	var wide [64]byte
	defer clear(wide[:])
	for i := range dst {
		s.read(wide[:])
		g.reduce(&dst[i], wide[:])
	}
}

// prove makes a Schnorr proof for the constant term a of each key: R = r·G,
// s = r + c·a with the challenge c.
func prove[S, P any](g group[S, P], p Params, index int, coefficients []S, commitments []byte, nonces *stream) []byte {
	size := p.Suite.PointSize()
	rs := make([]S, p.K)
	defer clear(rs)
	randomScalars(g, rs, nonces)
	secrets := make([]*S, p.K)
	for key := range secrets {
		secrets[key] = &rs[key]
	}
	points := g.appendDealt(make([]byte, 0, p.K*size), secrets)
	var c S // once it is multiplied, as good as the coefficient
	defer func() { c = *new(S) }()
	proofs := make([]byte, 0, p.K*(size+ScalarSize))
	for key := range p.K {
		first, point := commitments[key*p.T*size:][:size], points[key*size:][:size]
		proofs = append(proofs, point...)
		h := challenge(p, index, key, first, point)
		g.reduce(&c, h[:])
		g.mul(&c, &c, &coefficients[key*p.T])
		g.add(&rs[key], &rs[key], &c)
		proofs = g.appendScalar(proofs, &rs[key])
	}
	return proofs
}

// evaluate appends the polynomials' values for a recipient, 32 bytes a key.
func evaluate[S, P any](g group[S, P], p Params, dst []byte, coefficients []S, recipient int) []byte {
	x := g.small(uint32(recipient + 1))
	value := make([]S, 1)
	defer clear(value)
	for key := range p.K {
		f := coefficients[key*p.T:][:p.T]
		v := &value[0]
		*v = f[p.T-1]
		for c := p.T - 2; c >= 0; c-- {
			g.mul(v, v, x)
			g.add(v, v, &f[c])
		}
		dst = g.appendScalar(dst, v)
	}
	return dst
}

// seal fills the boxes with what shares appends for each recipient.
func (d *Deal) seal(
	p Params, index int, ephemeral *ecdh.PrivateKey, shares func(dst []byte, recipient int) []byte,
) error {
	ad := d.digest(p, index)
	for j := range p.N {
		aead, err := box(p, ephemeral, &p.HostKeys[j], &d.Ephemeral, index, j)
		if err != nil {
			return fmt.Errorf("host key of node %d can't be used: %w", j, err)
		}
		// Sealed in place: the plaintext is gone with it.
		plain := shares(make([]byte, 0, p.K*ScalarSize+boxOverhead), j)
		d.Shares = append(d.Shares, aead.Seal(plain[:0], boxNonce[:], plain, ad[:]))
	}
	return nil
}
