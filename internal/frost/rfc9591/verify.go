package rfc9591

import (
	"crypto/sha512"
	"encoding/binary"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Claim states that Share is the signature share of the signer ID in Session.
type Claim struct {
	Session *Session
	ID      uint16
	Share   []byte // a scalar of 32 bytes
}

// VerifyBatch reports whether all claims hold; a batch of one checks a
// single share. It checks z·B = D + ρ·E + λ·c·P for all at once, with weights
// from a hash over the claims: a batch with a false claim passes with
// probability 2^-127. The shares, which may not be public yet, are handled in
// constant time. RFC 9591, section 5.4, verify_signature_share.
func VerifyBatch(claims []Claim) bool {
	var sum, z, lambdaC Scalar
	defer func() { z.Zero(); sum.Zero() }()
	seed := hashClaims(claims) // shares of a wrong length are refused below
	e := equation{of: make(map[signer]int, len(claims))}
	if !e.addPubshares(claims) {
		return false
	}
	for i, c := range claims {
		s := c.Session
		pos, ok := s.set.Position(c.ID)
		if !ok {
			return false
		}
		if _, err := z.SetCanonicalBytes(c.Share); err != nil {
			return false
		}
		hiding := new(Point)
		edwards25519.SetAffine(hiding, &s.nonces[pos].hiding)
		a := weight(&seed, i)
		sum.Add(&sum, z.Mul(&z, a))
		e.add(a, hiding)
		e.add(scalar.New().Mul(a, &s.rho[pos]), &s.binding[pos])
		share := e.scalars[e.of[signerOf(c)]]
		share.Add(share, lambdaC.Mul(lambdaC.Mul(&s.c, s.set.lambdas[pos]()), a))
	}
	right := edwards25519.MultiScalarMultVartime(e.scalars, e.points)
	return right.Equal(edwards25519.BaseMult(&sum)) == 1
}

// equation is one side of it, a sum of products.
type equation struct {
	scalars []*Scalar
	points  []*Point
	of      map[signer]int // public shares that are in it
}

// signer is one of a key: of children, that of the key that they are of.
type signer struct {
	commitments *byte
	id          uint16
}

func (e *equation) add(s *Scalar, p *Point) {
	e.scalars, e.points = append(e.scalars, s), append(e.points, p)
}

func signerOf(c Claim) signer { return signer{&c.Session.key.encoded[0], c.ID} }

// addPubshares adds the public share of each signer, once, times 0. It reports whether there are
// such points.
func (e *equation) addPubshares(claims []Claim) bool {
	var keys []*Key
	var ids []uint16
	for _, c := range claims {
		if _, ok := e.of[signerOf(c)]; !ok {
			e.of[signerOf(c)] = len(keys)
			keys, ids = append(keys, c.Session.key), append(ids, c.ID)
		}
	}
	shares, err := pubshares(keys, ids)
	for i := range shares {
		e.add(scalar.New(), &shares[i])
	}
	return err == nil
}

// hashClaims hashes everything the equation depends on. The challenge represents key and
// message, a binding factor all nonces; the commitments represent the public shares.
func hashClaims(claims []Claim) (seed [64]byte) {
	h := sha512.New()
	h.Write([]byte("frostfleet/rfc9591/batch/v1"))
	for _, c := range claims {
		challenge, id := edwards25519.EncodeScalar(&c.Session.c), idBytes(c.ID)
		h.Write(challenge[:])
		h.Write(id[:])
		if pos, ok := c.Session.set.Position(c.ID); ok {
			rho := edwards25519.EncodeScalar(&c.Session.rho[pos])
			h.Write(rho[:])
		}
		h.Write(c.Share)
		h.Write(c.Session.key.encoded)
	}
	h.Sum(seed[:0])
	return seed
}

// weight returns an odd scalar of 128 bits, 1 for the first claim.
func weight(seed *[64]byte, i int) *Scalar {
	if i == 0 {
		return scalarOf(1)
	}
	const domain = "frostfleet/rfc9591/weight/v1"
	in := binary.BigEndian.AppendUint64(append(append(make([]byte, 0, 128), domain...), seed[:]...), uint64(i))
	h := sha512.Sum512(in)
	var b [32]byte
	copy(b[:16], h[:16])
	b[0] |= 1
	s, err := scalar.NewFromCanonicalBytes(b[:])
	if err != nil {
		panic("rfc9591: 128 bits are not a scalar: " + err.Error())
	}
	return s
}
