package ideal

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"math"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

var shapes = []struct {
	suite   frost.Suite
	t, n, k int
}{
	{frost.Secp256k1TR, 2, 3, 5}, {frost.Ed25519, 2, 3, 4},
	{frost.Secp256k1TR, 3, 5, 2}, {frost.Ed25519, 4, 5, 3}, {frost.Ed25519, 1, 1, 2},
}

func random32() (b [32]byte) {
	if _, err := rand.Read(b[:]); err != nil {
		panic(err)
	}
	return b
}

// TestKeygen holds the formulas against the deals of a key generation: each point in them
// is a base multiplication of its dealer and is decoded by all others, and each byte is
// hashed by all nodes.
func TestKeygen(t *testing.T) {
	t.Parallel()
	for _, s := range shapes {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			t.Parallel()
			p := frost.Params{Suite: s.suite, Context: random32(), N: s.n, T: s.t, K: s.k}
			var hosts []*[32]byte
			for range s.n {
				private, err := ecdh.X25519().GenerateKey(rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				host := [32]byte(private.Bytes())
				hosts = append(hosts, &host)
				p.HostKeys = append(p.HostKeys, [32]byte(private.PublicKey().Bytes()))
			}
			var deals []*frost.Deal
			var points, bytes, boxed float64
			for i := range s.n {
				seed := random32()
				d, err := frost.NewDeal(p, i, &seed)
				if err != nil {
					t.Fatal(err)
				}
				deals = append(deals, d)
				scalars := s.k * frost.ScalarSize // of the proofs
				points += float64((len(d.Commitments) + len(d.Proofs) - scalars) / s.suite.PointSize())
				bytes += float64(len(d.Commitments) + len(d.Proofs))
				for _, box := range d.Shares {
					boxed += float64(len(box) - 16)
				}
			}
			if _, err := frost.Finalize(p, 0, hosts[0], deals); err != nil {
				t.Fatal(err)
			}
			c, n, k := Keygen(s.suite, s.t, s.n, s.k), float64(s.n), float64(s.k)
			same(t, "base multiplications", c[Op{Kind: Base}]*k, points+n)
			same(t, "decodings", c[Op{Kind: Decode}]*k, points*(n-1)+n*k) // and the gateway's
			same(t, "hashed", c[Op{Kind: SHA256KiB}]*k*1024, (bytes+boxed)*n)
			same(t, "sealed and opened", c[Op{Kind: BoxKiB}]*k*1024, 2*boxed)
			same(t, "exchanges of keys", c[Op{Kind: DH}]*k, 2*n*float64(len(deals[0].Shares))+n)
			terms := s.k * (2*(s.n-1) + s.t)
			same(t, "terms of a node", (c[Op{Kind: Term128, Size: terms}]+c[Op{Kind: Term256, Size: terms}])*k/n, float64(terms))
		})
	}
}

// TestSign holds the formulas against what signers publish.
func TestSign(t *testing.T) {
	t.Parallel()
	for _, s := range shapes {
		c, signers, k := Sign(s.suite, s.t, s.k), float64(s.t), float64(s.k)
		points := 2 * signers * k // of all signers
		if got := float64(s.suite.NonceSize()/s.suite.PointSize()) * signers * k; got != points {
			t.Errorf("%v: nonces have %g points, want %g", s, got, points)
		}
		same(t, "base multiplications", c[Op{Kind: Base}]*k, points+signers)
		// Each signer decodes those of the others, and the gateway all.
		same(t, "decodings", c[Op{Kind: Decode}]*k, points*(signers-1)+points)
		own := c[Op{Kind: Term128, Size: 3 * s.k}] + c[Op{Kind: Term256, Size: 3 * s.k}]
		if s.t != 3*s.k { // else the sums for nonces are as long
			same(t, "terms of a signer's check", own*k/signers, 3*k)
		}
		same(t, "terms of the verification, twice", (c[Op{Kind: Term128, Size: 2 * s.k}]+c[Op{Kind: Term256, Size: 2 * s.k}])*k, 4*k)
	}
}

func same(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*want {
		t.Errorf("%s: %g by the formula, %g counted", what, got, want)
	}
}

// TestCost: a cost that is missing is no zero.
func TestCost(t *testing.T) {
	t.Parallel()
	c := Counts{{Kind: Base}: 3, {Kind: Term128, Size: 40}: 2}
	costs := map[Op]float64{{Kind: Base}: 10, {Kind: Term128, Size: 40}: 0.5}
	if got, err := c.Cost(costs); err != nil || got != 31 {
		t.Errorf("%g, %v", got, err)
	}
	delete(costs, Op{Kind: Base})
	if _, err := c.Cost(costs); err == nil {
		t.Error("no error for a base multiplication without a cost")
	}
	if ops := c.Ops(); len(ops) != 2 || ops[0].String() != "base" || ops[1].String() != "term128/40" {
		t.Errorf("operations %v", ops)
	}
}
