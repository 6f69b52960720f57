package rfc9591

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"math/big"
	mrand "math/rand/v2"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Signature shares are, byte for byte, those of the RFC's text with big numbers and
// those of the library, whatever the scalars, which both add up to one signature: so they
// can sign side by side.
func TestSignAgreesWithOthers(t *testing.T) {
	for range 40 {
		n := 1 + mrand.IntN(9)
		c := newCeremony(t, n, 1+mrand.IntN(n))
		var shares [][]byte
		for pos, id := range c.set.ids {
			text, library := c.textbookShare(pos), c.libraryShare(t, pos)
			got, err := c.Sign(c.nonces[pos], encoded(c.shares[pos]), id)
			if err != nil || !bytes.Equal(got, text) || !bytes.Equal(got, library) {
				t.Fatalf("signer %d of %v: %x, %v; the text has %x, the library %x", id, c.set.ids, got, err, text, library)
			}
			if !VerifyBatch([]Claim{{c.Session, id, got}}) {
				t.Fatalf("signer %d of %v: a good share does not verify", id, c.set.ids)
			}
			shares = append(shares, got)
		}
		sig, err := c.Aggregate(shares)
		if err != nil || !ed25519.Verify(c.key.public[:], c.message, sig) {
			t.Fatalf("%v: the signature does not verify: %v", c.set.ids, err)
		}
		if err := library(c.Session).VerifySum(shares, sig); err != nil {
			t.Fatal(err)
		}
	}
}

// ceremony is a session with everything that is secret in it, in the order of its set.
type ceremony struct {
	*Session
	shares []*Scalar
	nonces []*SecNonce
}

// newCeremony has scalars at random and at the edges of their range, but for 0 and 1,
// which the library refuses; so a share is at an edge only where it is the key.
func newCeremony(t *testing.T, n, threshold int) *ceremony {
	t.Helper()
	minusOne := scalar.New().Neg(scalarOf(1))
	edges := []*Scalar{scalarOf(2), scalarOf(8), minusOne, scalar.New().Sub(minusOne, scalarOf(1))}
	draw := func(edge bool) *Scalar {
		if edge && mrand.IntN(4) == 0 {
			return edges[mrand.IntN(len(edges))]
		}
		s, err := scalar.New().SetRandom(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var coefficients []*Scalar
	var commitments []byte
	for range threshold {
		a := draw(threshold == 1)
		p := edwards25519.Encode(edwards25519.BaseMult(a))
		coefficients, commitments = append(coefficients, a), append(commitments, p[:]...)
	}
	var ids []uint16
	for _, i := range mrand.Perm(n)[:threshold] {
		ids = append(ids, uint16(i+1))
	}
	slices.Sort(ids)
	c := new(ceremony)
	var pubs []*PubNonce
	for _, id := range ids {
		y := scalar.New()
		for _, a := range slices.Backward(coefficients) {
			y.Add(y.Mul(y, scalarOf(id)), a)
		}
		secs, form := make([]SecNonce, 1), Form(mrand.IntN(2))
		secs[0].pair.Store(&noncePair{secrets: [2]Scalar{*draw(true), *draw(true)}})
		pub, ok := parse(form, must(Publish(form, secs))(t))
		if !ok {
			t.Fatal("a nonce at the edge is refused")
		}
		c.shares, c.nonces, pubs = append(c.shares, y), append(c.nonces, &secs[0]), append(pubs, pub)
	}
	key := must(NewKey(n, threshold, commitments[:32], commitments))(t)
	message := make([]byte, mrand.IntN(300))
	rand.Read(message)
	c.Session = must(newSession(key, must(NewSignerSet(n, threshold, ids))(t), pubs, message))(t)
	return c
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// pointOf decodes what was parsed before.
func pointOf(b []byte) *Point {
	p, err := edwards25519.DecodeTrusted(b)
	if err != nil {
		panic(err)
	}
	return p
}

func encoded(s *Scalar) []byte { b := edwards25519.EncodeScalar(s); return b[:] }

// libraryShare signs with the library: its hashes and its group are not ours.
func (c *ceremony) libraryShare(t *testing.T, pos int) []byte {
	t.Helper()
	pair := c.nonces[pos].pair.Load()
	return must(library(c.Session).Sign(c.set.ids[pos], encoded(c.shares[pos]),
		encoded(&pair.secrets[0]), encoded(&pair.secrets[1])))(t)
}

// textbookShare is RFC 9591 with big numbers: sections 4.2 to 4.6 and 5.2.
func (c *ceremony) textbookShare(pos int) []byte {
	order := number(encoded(scalar.New().Neg(scalarOf(1))))
	order.Add(order, big.NewInt(1))
	hash := func(domain string, parts ...[]byte) []byte {
		h := sha512.Sum512(append([]byte(domain), slices.Concat(parts...)...))
		return h[:]
	}
	const context = "FROST-ED25519-SHA512-v1"
	var list []byte
	for i, id := range c.set.ids {
		list = slices.Concat(list, encoded(scalarOf(id)), c.Session.nonces[i].Bytes())
	}
	prefix := slices.Concat(c.key.public[:], hash(context+"msg", c.message), hash(context+"com", list))
	factors := make([]*big.Int, len(c.set.ids))
	r := curve.NewEdwardsPoint()
	for i, id := range c.set.ids {
		wide := hash(context+"rho", prefix, encoded(scalarOf(id)))
		factors[i] = number(wide)
		f, _ := scalar.NewFromBytesModOrderWide(wide)
		r.Add(r.Add(r, pointOf(c.Session.nonces[i].bytes[:32])), curve.NewEdwardsPoint().Mul(pointOf(c.Session.nonces[i].bytes[32:]), f))
	}
	commitment := edwards25519.Encode(r)
	z := number(hash("", commitment[:], c.key.public[:], c.message))
	for _, id := range c.set.ids {
		if my := c.set.ids[pos]; id != my {
			z.Mul(z, big.NewInt(int64(id)))
			z.Mul(z, new(big.Int).ModInverse(big.NewInt(int64(id)-int64(my)), order))
		}
	}
	pair := c.nonces[pos].pair.Load()
	z.Mul(z, number(encoded(c.shares[pos])))
	z.Add(z, factors[pos].Mul(factors[pos], number(encoded(&pair.secrets[1]))))
	z.Add(z, number(encoded(&pair.secrets[0])))
	out := z.Mod(z, order).FillBytes(make([]byte, 32))
	slices.Reverse(out)
	return out
}

// number is that of little-endian bytes.
func number(b []byte) *big.Int {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}
