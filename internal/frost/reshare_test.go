package frost

import (
	"bytes"
	"crypto/ecdh"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/secret"
)

var long = flag.Bool("long", false, "resharings of every shape up to 5 nodes, and of some up to 24")

// holders are the nodes of one generation with all that they hold.
type holders struct {
	suite  Suite
	n, t   int
	public *Public
	shares []*secret.Bytes
}

// founded is generation 0: a key generation.
func founded(t testing.TB, s Suite, threshold, n, k int) *holders {
	t.Helper()
	f := newFleet(t, s, threshold, n, k)
	h := &holders{suite: s, n: n, t: threshold}
	for i := range n {
		b := f.finalize(t, i)
		h.public, h.shares = &b.Public, append(h.shares, b.Shares)
	}
	return h
}

// move is a resharing with everyone's secrets.
type move struct {
	ReshareParams
	from         *holders
	hosts, seeds []*[32]byte // of the new nodes, and of the dealers
	deals        []*ReshareDeal
}

func newMove(t testing.TB, from *holders, dealers []int, threshold, n int) *move {
	t.Helper()
	m := &move{from: from, ReshareParams: ReshareParams{
		Suite: from.suite, K: len(from.public.PublicKeys), OldN: from.n, OldT: from.t,
		Dealers: slices.Sorted(slices.Values(dealers)), N: n, T: threshold,
	}}
	r := rand.NewChaCha8([32]byte(Hash("test", fmt.Append(nil, m.ReshareParams), from.public.Commitments)))
	r.Read(m.Context[:])
	for range n {
		var host [32]byte
		r.Read(host[:])
		private, err := ecdh.X25519().NewPrivateKey(host[:])
		if err != nil {
			t.Fatal(err)
		}
		m.hosts = append(m.hosts, &host)
		m.HostKeys = append(m.HostKeys, [32]byte(private.PublicKey().Bytes()))
	}
	for i := range dealers {
		var seed [32]byte
		r.Read(seed[:])
		m.seeds = append(m.seeds, &seed)
		m.deals = append(m.deals, m.deal(t, i))
	}
	return m
}

// deal is the deal of the i-th dealer.
func (m *move) deal(t testing.TB, i int) *ReshareDeal {
	t.Helper()
	d, err := NewReshareDeal(m.ReshareParams, m.Dealers[i], m.from.shares[m.Dealers[i]], m.seeds[i])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (m *move) finalize(index int) (*Batch, error) {
	return FinalizeReshare(m.ReshareParams, index, m.hosts[index], m.from.public, m.deals)
}

func (m *move) recover(index int) (*Batch, error) {
	return RecoverReshare(m.ReshareParams, index, m.hosts[index], m.from.public.PublicKeys, m.deals)
}

// finish is the new generation, after what all of its nodes and a gateway compute.
func (m *move) finish(t testing.TB) *holders {
	t.Helper()
	public, err := SummarizeReshare(m.ReshareParams, m.from.public.PublicKeys, m.deals)
	if err != nil {
		t.Fatal(err)
	}
	if len(public.Commitments) != m.K*m.T*m.Suite.PointSize() ||
		!reflect.DeepEqual(public.PublicKeys, m.from.public.PublicKeys) {
		t.Fatal("the keys change, or the commitments have the wrong size")
	}
	to := &holders{suite: m.Suite, n: m.N, t: m.T, public: public}
	for i := range m.N {
		b, err := m.finalize(i)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&b.Public, public) {
			t.Fatalf("node %d and the gateway disagree", i)
		}
		r, err := m.recover(i)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&r.Public, public) || !bytes.Equal(r.Shares.Expose(), b.Shares.Expose()) {
			t.Fatalf("node %d recovers something else than it had", i)
		}
		to.shares = append(to.shares, b.Shares)
	}
	return to
}

// items are what each node may sign: every key with the suite's tweaks in turn, and
// under a child.
func (h *holders) items(t testing.TB) (items [][]Item, under []descendant) {
	t.Helper()
	size := h.t * h.suite.PointSize()
	items = make([][]Item, h.n)
	for key, public := range h.public.PublicKeys {
		child := descendantOf(t, h.suite, public, key%3)
		under = append(under, child)
		for i := range h.n {
			items[i] = append(items[i], Item{
				Key: &Key{
					Suite: h.suite, N: h.n, T: h.t, Index: i, PublicKey: public,
					VSSCommitment: h.public.Commitments[key*size:][:size],
					Share:         secret.New(slices.Clone(h.shares[i].Expose()[key*ScalarSize:][:ScalarSize])),
				},
				Message: bytes.Repeat([]byte{byte(key + 1)}, 32),
				Tweak:   tweaks[h.suite][key%len(tweaks[h.suite])],
				Offsets: child.offsets,
			})
		}
	}
	return items, under
}

// sign has nodes sign, and other libraries verify.
func (h *holders) sign(t testing.TB, nodes []int) {
	t.Helper()
	items, under := h.items(t)
	g := commitAll(t, h.suite, items, nodes)
	sigs, blame, err := Aggregate(g.public(), g.set, g.signAll(t))
	if err != nil || blame != nil {
		t.Fatal(err, blame)
	}
	for i, sig := range sigs {
		under[i].verify(t, items[0][i], sig)
	}
}

// shapes are all (t, n) up to some n.
func shapes(n int) (out [][2]int) {
	for n := range n {
		for t := range n + 1 {
			out = append(out, [2]int{t + 1, n + 1})
		}
	}
	return out
}

// Every resharing between fleets of up to three nodes, by every set of dealers. The
// new shares are of the old keys: any t' of them interpolate to those, and sign.
func TestReshareEveryShape(t *testing.T) {
	most := 3
	if *long {
		most = 5
	}
	for _, suite := range suites {
		for _, from := range shapes(most) {
			t.Run(fmt.Sprintf("%v/%dof%d", suite, from[0], from[1]), func(t *testing.T) {
				old := founded(t, suite, from[0], from[1], 2)
				for _, to := range shapes(most) {
					for _, dealers := range subsets(from[1], from[0]) {
						testReshare(t, newMove(t, old, dealers, to[0], to[1]))
					}
				}
			})
		}
	}
}

func testReshare(t *testing.T, m *move) {
	t.Helper()
	to := m.finish(t)
	for _, nodes := range subsets(m.N, m.T) {
		for key := range m.K {
			if got := to.keyOf(t, nodes, key); !bytes.Equal(got, m.from.public.PublicKeys[key]) {
				t.Fatalf("%v deal to %d of %d: shares of %v interpolate to %x, want %x",
					m.Dealers, m.T, m.N, nodes, got, m.from.public.PublicKeys[key])
			}
		}
		to.sign(t, nodes)
	}
}

// keyOf is the public key of what the shares of nodes interpolate to, by math/big.
func (h *holders) keyOf(t testing.TB, nodes []int, key int) []byte {
	t.Helper()
	shares := make([][]byte, h.n)
	for i := range h.shares {
		shares[i] = h.shares[i].Expose()
	}
	return publicKeyOf(h.suite, nodes, shares, key)
}
