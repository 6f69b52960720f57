package frost

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
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
	r := rand.NewChaCha8(Hash("test", fmt.Append(nil, m.Dealers, threshold, n), from.public.Commitments))
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
	sigs, blame, err := Aggregate(form, g.public(), g.set, g.signAll(t))
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

// Fleets of up to 24 nodes, a few of them; with -long, thirty.
func TestReshareLargeFleets(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 24))
	shape := func() (threshold, n int) {
		n = 1 + r.IntN(24)
		return 1 + r.IntN(n), n
	}
	for _, suite := range suites {
		moves := [][4]int{{16, 24, 16, 24}}
		for range 30 {
			if t0, n0 := shape(); *long {
				t1, n1 := shape()
				moves = append(moves, [4]int{t0, n0, t1, n1})
			}
		}
		for _, s := range moves {
			t.Run(fmt.Sprintf("%v/%dof%d to %dof%d", suite, s[0], s[1], s[2], s[3]), func(t *testing.T) {
				testReshare(t, newMove(t, founded(t, suite, s[0], s[1], 1), subsets(s[1], s[0])[0], s[2], s[3]))
			})
		}
	}
}

// The largest fleets there are, to the last dealer and the last recipient.
func TestReshareMaxNodes(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		from := founded(t, s, 2, 3, 1)
		m := newMove(t, from, []int{0, 2}, 1, 2)
		m.N, m.T, m.hosts = MaxNodes, MaxNodes, slices.Repeat(m.hosts, MaxNodes/2)
		m.HostKeys = slices.Repeat(m.HostKeys, MaxNodes/2)
		for i := range m.deals {
			m.deals[i] = m.deal(t, i)
		}
		to := &holders{suite: s, n: m.N, t: m.T, public: from.public}
		for i := range m.N {
			b, err := m.finalize(i)
			if err != nil {
				t.Fatal(err)
			}
			to.public, to.shares = &b.Public, append(to.shares, b.Shares)
		}
		back := newMove(t, to, upTo(MaxNodes), 2, 3) // all 128 deal
		testReshare(t, back)
	})
}

// A fleet that lives: lost nodes, more nodes, a higher threshold, fewer nodes, and as
// it was. Every generation signs, none with a share of another.
func TestReshareChain(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		h := founded(t, s, 2, 3, 3)
		for _, next := range []struct {
			dealers []int
			t, n    int
		}{{[]int{0, 1}, 2, 3}, {[]int{1, 2}, 3, 5}, {[]int{0, 2, 4}, 4, 4}, {[]int{0, 1, 2, 3}, 1, 2}, {[]int{1}, 2, 3}} {
			m := newMove(t, h, next.dealers, next.t, next.n)
			testReshare(t, m)
			to := m.finish(t)
			for i := range to.shares {
				for j := range h.shares {
					if bytes.Equal(to.shares[i].Expose(), h.shares[j].Expose()) && (to.t > 1 || h.t > 1) {
						t.Errorf("node %d has the share that node %d had", i, j)
					}
				}
			}
			h = to
		}
	})
}

// t-1 old shares and t'-1 new ones together are of no use: whichever of them are put
// together, as if of either generation, the result is not the key.
func TestReshareMixedGenerationsHoldNothing(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		for _, shape := range [][4]int{{2, 3, 2, 3}, {2, 3, 3, 5}, {3, 5, 2, 3}, {3, 3, 3, 3}} {
			old := founded(t, s, shape[0], shape[1], 1)
			to := newMove(t, old, upTo(shape[0]), shape[2], shape[3]).finish(t)
			for _, fromOld := range subsets(old.n, old.t-1) {
				for _, fromNew := range subsets(to.n, to.t-1) {
					testMixed(t, old, to, fromOld, fromNew)
				}
			}
		}
	})
}

func testMixed(t *testing.T, old, to *holders, fromOld, fromNew []int) {
	t.Helper()
	indices := slices.Concat(fromOld, fromNew)
	var shares []*secret.Bytes
	for i, index := range indices {
		if i < len(fromOld) {
			shares = append(shares, old.shares[index])
		} else {
			shares = append(shares, to.shares[index])
		}
	}
	tried := 0
	for count := 1; count <= len(indices); count++ {
		for _, chosen := range subsets(len(indices), count) {
			var who []int
			var what []*secret.Bytes
			for _, i := range chosen {
				who, what = append(who, indices[i]), append(what, shares[i])
			}
			if distinct := slices.Compact(slices.Sorted(slices.Values(who))); len(distinct) < count {
				continue
			}
			tried++
			if b, err := ReconstructPrivateKeys(old.suite, MaxNodes, count, old.public.PublicKeys, who, what); err == nil {
				t.Fatalf("old %v and new %v of %v make the key %x", fromOld, fromNew, who, b.Expose())
			}
		}
	}
	if tried < len(indices) {
		t.Fatal("nothing was tried")
	}
}

// A share of the generation before does not sign with new ones: the node that holds it
// notices itself, and t'-1 new shares with it are too few.
func TestReshareOldShareDoesNotSign(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		old := founded(t, s, 2, 3, 2)
		to := newMove(t, old, []int{0, 1}, 2, 3).finish(t)
		to.sign(t, []int{0, 2})
		to.shares[2] = old.shares[2]
		items, _ := to.items(t)
		g := commitAll(t, s, items, []int{0, 2})
		if _, err := g.nonces[0].Sign(g.set); err != nil {
			t.Errorf("the node with the new share: %v", err)
		}
		if share, err := g.nonces[1].Sign(g.set); !errors.Is(err, ErrSelfCheck) || share != nil {
			t.Errorf("the node with the old share signs: %v", err)
		}
	})
}

func TestReshareDealDependsOnAllItsInputs(t *testing.T) {
	for _, suite := range suites {
		m := newMove(t, founded(t, suite, 2, 3, 2), []int{0, 1}, 2, 3)
		if !reflect.DeepEqual(m.deal(t, 1), m.deals[1]) {
			t.Errorf("%v: the same seed gives two deals", suite)
		}
		for name, change := range map[string]func(p *ReshareParams, dealer *int, shares []byte, seed *[32]byte){
			"seed":    func(_ *ReshareParams, _ *int, _ []byte, seed *[32]byte) { seed[31] ^= 1 },
			"dealer":  func(_ *ReshareParams, dealer *int, _ []byte, _ *[32]byte) { *dealer = 0 },
			"share":   func(_ *ReshareParams, _ *int, shares []byte, _ *[32]byte) { shares[40] ^= 1 },
			"context": func(p *ReshareParams, _ *int, _ []byte, _ *[32]byte) { p.Context[0] ^= 1 },
			"old n":   func(p *ReshareParams, _ *int, _ []byte, _ *[32]byte) { p.OldN = 4 },
			"dealers": func(p *ReshareParams, _ *int, _ []byte, _ *[32]byte) { p.Dealers = []int{1, 2} },
			"old t": func(p *ReshareParams, _ *int, _ []byte, _ *[32]byte) {
				p.OldT, p.Dealers = 3, []int{0, 1, 2}
			},
			"t": func(p *ReshareParams, _ *int, _ []byte, _ *[32]byte) { p.T = 3 },
			"hosts": func(p *ReshareParams, _ *int, _ []byte, _ *[32]byte) {
				p.HostKeys = [][32]byte{p.HostKeys[1], p.HostKeys[0], p.HostKeys[2]}
			},
		} {
			p, dealer, shares, seed := m.ReshareParams, 1, slices.Clone(m.from.shares[1].Expose()), *m.seeds[1]
			change(&p, &dealer, shares, &seed)
			d, err := NewReshareDeal(p, dealer, secret.New(shares), &seed)
			if err != nil {
				t.Fatal(err)
			}
			if size := suite.PointSize(); d.Ephemeral == m.deals[1].Ephemeral ||
				bytes.Equal(d.Commitments[:size], m.deals[1].Commitments[:size]) {
				t.Errorf("%v: another %s gives the same secrets", suite, name)
			}
		}
	}
}

// Deals that once were written must open for ever: a change of these hashes is a
// change of the protocol and needs a new version.
func TestReshareFormatIsPinned(t *testing.T) {
	want := map[Suite]string{
		Secp256k1TR: "679a86448b8a81f5a0b002cfffaa64854f2c56ccbcae8c345fa09dbe7c6fa6d3",
		Ed25519:     "19f2452215a09341b447b1358ebe8bf5485856ade2873b64c8a256ed3e185984",
	}
	for _, suite := range suites {
		m := newMove(t, founded(t, suite, 2, 3, 2), []int{0, 2}, 3, 4)
		var all [][]byte
		for _, d := range m.deals {
			all = append(all, d.Ephemeral[:], d.Commitments, bytes.Join(d.Shares, nil))
		}
		to := m.finish(t)
		all = append(all, to.public.Commitments, to.shares[3].Expose())
		if h := Hash("test", all...); hex.EncodeToString(h[:]) != want[suite] {
			t.Errorf("%v: hash of the deals and what they give is %x, want %s", suite, h, want[suite])
		}
	}
}

func TestReshareParams(t *testing.T) {
	m := newMove(t, founded(t, Secp256k1TR, 2, 3, 2), []int{0, 1}, 2, 3)
	for name, change := range map[string]func(*ReshareParams){
		"unknown suite":         func(p *ReshareParams) { p.Suite = 3 },
		"t is zero":             func(p *ReshareParams) { p.T = 0 },
		"t above n":             func(p *ReshareParams) { p.T = 4 },
		"n above 128":           func(p *ReshareParams) { p.N, p.HostKeys = 129, make([][32]byte, 129) },
		"k is zero":             func(p *ReshareParams) { p.K = 0 },
		"k above the limit":     func(p *ReshareParams) { p.K = MaxBatch + 1 },
		"a host key short":      func(p *ReshareParams) { p.HostKeys = p.HostKeys[:2] },
		"old t is zero":         func(p *ReshareParams) { p.OldT, p.Dealers = 0, nil },
		"old t above n":         func(p *ReshareParams) { p.OldN, p.OldT, p.Dealers = 1, 2, []int{0, 1} },
		"old n above 128":       func(p *ReshareParams) { p.OldN = 129 },
		"no dealers":            func(p *ReshareParams) { p.Dealers = nil },
		"a dealer too few":      func(p *ReshareParams) { p.Dealers = []int{0} },
		"a dealer too many":     func(p *ReshareParams) { p.Dealers = []int{0, 1, 2} },
		"a dealer twice":        func(p *ReshareParams) { p.Dealers = []int{1, 1} },
		"dealers descending":    func(p *ReshareParams) { p.Dealers = []int{1, 0} },
		"a negative dealer":     func(p *ReshareParams) { p.Dealers = []int{-1, 0} },
		"a dealer out of range": func(p *ReshareParams) { p.Dealers = []int{0, 3} },
	} {
		p := m.ReshareParams
		change(&p)
		if p.Validate() == nil {
			t.Errorf("%s: valid", name)
		}
		if _, err := NewReshareDeal(p, 0, m.from.shares[0], m.seeds[0]); err == nil {
			t.Errorf("%s: dealt", name)
		}
		if _, err := FinalizeReshare(p, 0, m.hosts[0], m.from.public, m.deals); err == nil {
			t.Errorf("%s: finalized", name)
		}
		if _, err := RecoverReshare(p, 0, m.hosts[0], m.from.public.PublicKeys, m.deals); err == nil {
			t.Errorf("%s: recovered", name)
		}
		if _, err := SummarizeReshare(p, m.from.public.PublicKeys, m.deals); err == nil {
			t.Errorf("%s: summarized", name)
		}
	}
}

// What a caller does wrong is nobody's fault, and never a panic.
func TestReshareCallersMistakes(t *testing.T) {
	for _, suite := range suites {
		m := newMove(t, founded(t, suite, 2, 3, 2), []int{0, 2}, 2, 3)
		other := founded(t, suite, 2, 3, 3)
		deal := func(p ReshareParams, dealer int, shares *secret.Bytes, seed *[32]byte) error {
			_, err := NewReshareDeal(p, dealer, shares, seed)
			return err
		}
		finalize := func(index int, host *[32]byte, source *Public, deals []*ReshareDeal) error {
			_, err := FinalizeReshare(m.ReshareParams, index, host, source, deals)
			return err
		}
		summarize := func(publicKeys [][]byte) error {
			_, err := SummarizeReshare(m.ReshareParams, publicKeys, m.deals)
			return err
		}
		source := func(change func(p *Public)) *Public {
			p := &Public{slices.Clone(m.from.public.PublicKeys), bytes.Clone(m.from.public.Commitments)}
			change(p)
			return p
		}
		wiped := secret.New(make([]byte, 64))
		wiped.Wipe()
		smallHost := m.ReshareParams
		smallHost.HostKeys = [][32]byte{m.HostKeys[0], {1}, m.HostKeys[2]}
		for name, err := range map[string]error{
			"deals and is no dealer": deal(m.ReshareParams, 1, m.from.shares[1], m.seeds[0]),
			"no seed":                deal(m.ReshareParams, 0, m.from.shares[0], nil),
			"no shares":              deal(m.ReshareParams, 0, nil, m.seeds[0]),
			"wiped shares":           deal(m.ReshareParams, 0, wiped, m.seeds[0]),
			"shares of other keys":   deal(m.ReshareParams, 0, other.shares[0], m.seeds[0]),
			"shares that are none": deal(m.ReshareParams, 0,
				secret.New(bytes.Repeat([]byte{255}, 64)), m.seeds[0]),
			"small host key":       deal(smallHost, 0, m.from.shares[0], m.seeds[0]),
			"negative index":       finalize(-1, m.hosts[0], m.from.public, m.deals),
			"index n":              finalize(3, m.hosts[0], m.from.public, m.deals),
			"no host key":          finalize(0, nil, m.from.public, m.deals),
			"another host key":     finalize(0, m.hosts[1], m.from.public, m.deals),
			"a deal too few":       finalize(0, m.hosts[0], m.from.public, m.deals[:1]),
			"a deal too many":      finalize(0, m.hosts[0], m.from.public, append(m.deals[:2:2], m.deals[0])),
			"no source":            finalize(0, m.hosts[0], nil, m.deals),
			"source of three keys": finalize(0, m.hosts[0], other.public, m.deals),
			"source with another key": finalize(0, m.hosts[0],
				source(func(p *Public) { p.PublicKeys[1] = p.PublicKeys[0] }), m.deals),
			"source with another first commitment": finalize(0, m.hosts[0],
				source(func(p *Public) { copy(p.Commitments, p.Commitments[suite.PointSize():]) }), m.deals),
			"source cut short": finalize(0, m.hosts[0],
				source(func(p *Public) { p.Commitments = p.Commitments[1:] }), m.deals),
			"a public key too few":      summarize(m.from.public.PublicKeys[:1]),
			"public keys of other keys": summarize(other.public.PublicKeys),
			"an empty public key":       summarize([][]byte{m.from.public.PublicKeys[0], {}}),
			"a short public key":        summarize([][]byte{m.from.public.PublicKeys[0], m.from.public.PublicKeys[1][1:]}),
			"a public key that is none": summarize([][]byte{m.from.public.PublicKeys[0],
				bytes.Repeat([]byte{2}, suite.PublicKeySize()-1)}),
		} {
			if err == nil {
				t.Errorf("%v, %s: no error", suite, name)
			}
			if blame := (*BlameError)(nil); errors.As(err, &blame) {
				t.Errorf("%v, %s: blames node %d for the caller's mistake", suite, name, blame.Dealer)
			}
			if strings.Contains(fmt.Sprint(err), hex.EncodeToString(m.from.shares[0].Expose()[:8])) {
				t.Errorf("%v, %s: the error shows a share", suite, name)
			}
		}
	}
}

// A source whose higher commitments are not the old ones makes no dealer a liar while
// all tell the truth: only the keys are looked at then.
func TestReshareSourceIsForBlame(t *testing.T) {
	for _, suite := range suites {
		m := newMove(t, founded(t, suite, 2, 3, 2), []int{0, 2}, 2, 3)
		size := suite.PointSize()
		broken := &Public{m.from.public.PublicKeys, bytes.Clone(m.from.public.Commitments)}
		copy(broken.Commitments[size:2*size], notAPoint(suite))
		if _, err := FinalizeReshare(m.ReshareParams, 0, m.hosts[0], broken, m.deals); err != nil {
			t.Errorf("%v: %v", suite, err)
		}
		m.deals[1].Shares[0], m.deals[1].Shares[1] = m.deals[1].Shares[1], m.deals[1].Shares[0]
		_, err := FinalizeReshare(m.ReshareParams, 0, m.hosts[0], broken, m.deals)
		wantBlameOf(t, err, 2, CodeShare)
	}
}
