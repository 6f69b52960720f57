package frost

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var suites = []Suite{Secp256k1TR, Ed25519}

// fleet is a key generation with everyone's secrets.
type fleet struct {
	Params
	hosts []*[32]byte
	seeds []*[32]byte
	deals []*Deal
}

func newFleet(t testing.TB, suite Suite, threshold, n, k int) *fleet {
	t.Helper()
	r := rand.NewChaCha8([32]byte{byte(suite), byte(threshold), byte(n), byte(k)})
	f := &fleet{Params: Params{Suite: suite, N: n, T: threshold, K: k}}
	r.Read(f.Context[:])
	for range n {
		var host, seed [32]byte
		r.Read(host[:])
		r.Read(seed[:])
		private, err := ecdh.X25519().NewPrivateKey(host[:])
		if err != nil {
			t.Fatal(err)
		}
		f.hosts, f.seeds = append(f.hosts, &host), append(f.seeds, &seed)
		f.HostKeys = append(f.HostKeys, [32]byte(private.PublicKey().Bytes()))
	}
	for i := range n {
		f.deals = append(f.deals, f.deal(t, i))
	}
	return f
}

func (f *fleet) deal(t testing.TB, i int) *Deal {
	t.Helper()
	d, err := NewDeal(f.Params, i, f.seeds[i])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (f *fleet) finalize(t testing.TB, i int) *Batch {
	t.Helper()
	b, err := Finalize(f.Params, i, f.hosts[i], f.deals)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHonestRuns(t *testing.T) {
	for _, suite := range suites {
		for _, tn := range [][2]int{{1, 1}, {1, 2}, {2, 3}, {3, 5}, {5, 5}, {16, 24}} {
			for _, k := range []int{1, 2, 17} {
				t.Run(fmt.Sprintf("%v/%dof%d/k=%d", suite, tn[0], tn[1], k), func(t *testing.T) {
					testHonestRun(t, newFleet(t, suite, tn[0], tn[1], k))
				})
			}
		}
	}
}

func testHonestRun(t *testing.T, f *fleet) {
	public, err := Summarize(f.Params, f.deals)
	if err != nil {
		t.Fatal(err)
	}
	if len(public.PublicKeys) != f.K || len(public.Commitments) != f.K*f.T*f.Suite.PointSize() {
		t.Fatal("the public part has the wrong size")
	}
	var shares [][]byte
	for i := range f.N {
		b := f.finalize(t, i)
		if !reflect.DeepEqual(&b.Public, public) {
			t.Fatalf("node %d and the gateway disagree", i)
		}
		shares = append(shares, b.Shares.Expose())
		r, err := Recover(f.Params, i, f.hosts[i], f.deals)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&r.Public, public) || !bytes.Equal(r.Shares.Expose(), shares[i]) {
			t.Fatalf("node %d recovers something else than it had", i)
		}
	}
	for _, subset := range subsets(f.N, f.T) {
		for key := range f.K {
			if got := publicKeyOf(f.Suite, subset, shares, key); !bytes.Equal(got, public.PublicKeys[key]) {
				t.Fatalf("key %d: shares of %v interpolate to %x, want %x", key, subset, got, public.PublicKeys[key])
			}
		}
	}
}

// subsets returns all subsets of t of n indices if they are few, else some.
func subsets(n, t int) (out [][]int) {
	r := rand.New(rand.NewPCG(1, 2))
	if n > 6 {
		for range 4 {
			out = append(out, r.Perm(n)[:t])
		}
		return out
	}
	for mask := range 1 << n {
		var s []int
		for i := range n {
			if mask>>i&1 == 1 {
				s = append(s, i)
			}
		}
		if len(s) == t {
			out = append(out, s)
		}
	}
	return out
}

// publicKeyOf interpolates the shares at zero, by math/big as a second
// opinion, and returns the public key of the secret.
func publicKeyOf(suite Suite, subset []int, shares [][]byte, key int) []byte {
	order, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	if suite == Ed25519 {
		order, _ = new(big.Int).SetString("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", 16)
	}
	sum := new(big.Int)
	for _, i := range subset {
		b := bytes.Clone(shares[i][key*32:][:32])
		if suite == Ed25519 {
			slices.Reverse(b)
		}
		term := new(big.Int).SetBytes(b)
		for _, j := range subset {
			if i != j {
				term.Mul(term, big.NewInt(int64(j+1)))
				term.Mul(term, new(big.Int).ModInverse(big.NewInt(int64(j-i)), order))
				term.Mod(term, order)
			}
		}
		sum.Add(sum, term)
	}
	b := sum.Mod(sum, order).FillBytes(make([]byte, 32))
	if suite == Ed25519 {
		slices.Reverse(b)
		return publicKeyFrom(edwardsGroup{}, b)
	}
	return publicKeyFrom(secpGroup{}, b)
}

func publicKeyFrom[S, P any](g group[S, P], secret []byte) []byte {
	var s S
	if err := g.decodeScalar(&s, secret); err != nil {
		panic(err)
	}
	return g.publicKey(g.appendPoint(nil, g.baseMult(&s)))
}

func TestDealDependsOnAllItsInputs(t *testing.T) {
	for _, suite := range suites {
		f := newFleet(t, suite, 2, 3, 2)
		if !reflect.DeepEqual(f.deal(t, 1), f.deals[1]) {
			t.Errorf("%v: the same seed gives two deals", suite)
		}
		changes := map[string]func(p *Params, index *int, seed *[32]byte){
			"seed":    func(_ *Params, _ *int, seed *[32]byte) { seed[31] ^= 1 },
			"index":   func(_ *Params, index *int, _ *[32]byte) { *index = 2 },
			"context": func(p *Params, _ *int, _ *[32]byte) { p.Context[0] ^= 1 },
			"t":       func(p *Params, _ *int, _ *[32]byte) { p.T = 3 },
			"k":       func(p *Params, _ *int, _ *[32]byte) { p.K = 3 },
			"hosts":   func(p *Params, _ *int, _ *[32]byte) { p.HostKeys[0] = p.HostKeys[2] },
		}
		for name, change := range changes {
			p, index, seed := f.Params, 1, *f.seeds[1]
			p.HostKeys = slices.Clone(p.HostKeys)
			change(&p, &index, &seed)
			d, err := NewDeal(p, index, &seed)
			if err != nil {
				t.Fatal(err)
			}
			size := suite.PointSize()
			if d.Ephemeral == f.deals[1].Ephemeral || bytes.Equal(d.Commitments[:size], f.deals[1].Commitments[:size]) ||
				bytes.Equal(d.Proofs[:size], f.deals[1].Proofs[:size]) {
				t.Errorf("%v: another %s gives the same secrets", suite, name)
			}
		}
	}
}

// The log is the backup: deals that once were written must open for ever. A
// change of these hashes is a change of the protocol and needs a new version.
func TestFormatIsPinned(t *testing.T) {
	want := map[Suite]string{
		Secp256k1TR: "a88bdfaa9ba7fd5ea354eb3a468b16790909c71ab073a87be05ae5817592ecc3",
		Ed25519:     "8483a90e33903248e812ea7936020eeccc6dfb0ca80c51fae122db0086876d73",
	}
	for _, suite := range suites {
		f := newFleet(t, suite, 2, 3, 2)
		var all [][]byte
		for _, d := range f.deals {
			all = append(all, d.Ephemeral[:], d.Commitments, d.Proofs, bytes.Join(d.Shares, nil))
		}
		b := f.finalize(t, 2)
		all = append(all, bytes.Join(b.PublicKeys, nil), b.Commitments, b.Shares.Expose())
		if h := Hash("test", all...); hex.EncodeToString(h[:]) != want[suite] {
			t.Errorf("%v: hash of the deals and what they give is %x, want %s", suite, h, want[suite])
		}
	}
}

func TestParams(t *testing.T) {
	good := newFleet(t, Secp256k1TR, 2, 3, 2).Params
	tests := map[string]func(*Params){
		"unknown suite":     func(p *Params) { p.Suite = 3 },
		"t is zero":         func(p *Params) { p.T = 0 },
		"t above n":         func(p *Params) { p.T = 4 },
		"n is zero":         func(p *Params) { p.N, p.HostKeys = 0, nil },
		"n above 128":       func(p *Params) { p.N, p.HostKeys = 129, make([][32]byte, 129) },
		"k is zero":         func(p *Params) { p.K = 0 },
		"k above the limit": func(p *Params) { p.K = MaxBatch + 1 },
		"a host key short":  func(p *Params) { p.HostKeys = p.HostKeys[:2] },
	}
	for name, change := range tests {
		p := good
		change(&p)
		if p.Validate() == nil {
			t.Errorf("%s: valid", name)
		}
		if _, err := NewDeal(p, 0, new([32]byte)); err == nil {
			t.Errorf("%s: dealt", name)
		}
		if _, err := Summarize(p, nil); err == nil {
			t.Errorf("%s: summarized", name)
		}
	}
}

func TestCallersMistakes(t *testing.T) {
	f := newFleet(t, Ed25519, 2, 3, 1)
	calls := map[string]func() error{
		"no seed":          func() error { _, err := NewDeal(f.Params, 0, nil); return err },
		"negative index":   func() error { _, err := NewDeal(f.Params, -1, f.seeds[0]); return err },
		"index n":          func() error { _, err := Finalize(f.Params, 3, f.hosts[0], f.deals); return err },
		"no host key":      func() error { _, err := Finalize(f.Params, 0, nil, f.deals); return err },
		"another host key": func() error { _, err := Recover(f.Params, 0, f.hosts[1], f.deals); return err },
		"two deals":        func() error { _, err := Finalize(f.Params, 0, f.hosts[0], f.deals[:2]); return err },
		"small host key": func() error {
			p := f.Params
			p.HostKeys = [][32]byte{p.HostKeys[0], {1}, p.HostKeys[2]}
			_, err := NewDeal(p, 0, f.seeds[0])
			if err != nil && !strings.Contains(err.Error(), "node 1") {
				t.Errorf("small host key: the error does not name node 1: %v", err)
			}
			return err
		},
	}
	for name, call := range calls {
		err := call()
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if blame := (*BlameError)(nil); errors.As(err, &blame) {
			t.Errorf("%s: blames node %d for the caller's mistake", name, blame.Dealer)
		}
	}
}

func TestBatchPrintsNoShare(t *testing.T) {
	b := newFleet(t, Secp256k1TR, 2, 3, 1).finalize(t, 0)
	share := hex.EncodeToString(b.Shares.Expose())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		for _, v := range []any{b, *b} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, share) || strings.Contains(out, fmt.Sprint(b.Shares.Expose())) {
				t.Errorf("%s prints the share", verb)
			}
		}
	}
}
