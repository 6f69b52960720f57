package frost

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// dealKey is a trusted dealer for tests: it draws a polynomial and deals every
// node's view of the key.
func dealKey(t testing.TB, s Suite, n, threshold int) []*Key {
	t.Helper()
	if s == Secp256k1TR {
		return deal(t, secpGroup{}, s, n, threshold)
	}
	return deal(t, edwardsGroup{}, s, n, threshold)
}

func deal[S, P any](t testing.TB, g group[S, P], s Suite, n, threshold int) []*Key {
	t.Helper()
	coefficients := make([]S, threshold)
	var commitments []byte
	for i := range coefficients {
		var b [64]byte
		rand.Read(b[:])
		g.reduce(&coefficients[i], b[:])
		commitments = g.appendPoint(commitments, g.baseMult(&coefficients[i]))
	}
	keys := make([]*Key, n)
	for i := range keys {
		var y S
		g.reduce(&y, make([]byte, 64))
		for c := threshold - 1; c >= 0; c-- {
			g.mul(&y, &y, g.small(uint32(i+1)))
			g.add(&y, &y, &coefficients[c])
		}
		keys[i] = &Key{
			Suite: s, N: n, T: threshold, Index: i,
			PublicKey:     g.publicKey(commitments[:s.PointSize()]),
			VSSCommitment: slices.Clone(commitments),
			Share:         secret.New(g.appendScalar(nil, &y)),
		}
	}
	return keys
}

// signing is a batch on its way: items[node][item].
type signing struct {
	suite  Suite
	items  [][]Item
	nodes  []int // who signs
	nonces []*Nonces
	set    []NonceCommitment
}

// suites and the tweaks that go with them.
var tweaks = map[Suite][]Tweak{
	Ed25519:     {{}},
	Secp256k1TR: {{Mode: TweakBIP86}, {Mode: TweakScriptRoot, Root: [32]byte{1, 2, 3}}},
}

// newItems deals count keys and gives every node's items, tweak modes in turn.
func newItems(t testing.TB, s Suite, n, threshold, count int) [][]Item {
	t.Helper()
	items := make([][]Item, n)
	for i := range count {
		keys := dealKey(t, s, n, threshold)
		msg := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 16)
		for node, k := range keys {
			items[node] = append(items[node], Item{Key: k, Message: msg, Tweak: tweaks[s][i%len(tweaks[s])]})
		}
	}
	return items
}

// commitAll runs round one for nodes.
func commitAll(t testing.TB, s Suite, items [][]Item, nodes []int) *signing {
	t.Helper()
	g := &signing{suite: s, items: items, nodes: nodes}
	for _, i := range nodes {
		n, points, err := Commit(rand.Reader, [32]byte{}, form, items[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckCommitment(form, s, len(items[i]), points); err != nil {
			t.Fatal(err)
		}
		g.nonces = append(g.nonces, n)
		g.set = append(g.set, NonceCommitment{i, points})
	}
	return g
}

// signAll runs round two.
func (g *signing) signAll(t testing.TB) [][]byte {
	t.Helper()
	shares := make([][]byte, len(g.nonces))
	for i, n := range g.nonces {
		var err error
		if shares[i], err = n.Sign(g.set); err != nil {
			t.Fatalf("node %d: %v", g.nodes[i], err)
		}
	}
	return shares
}

// public returns the items as a gateway has them.
func (g *signing) public() []Item {
	out := slices.Clone(g.items[g.nodes[0]])
	for i := range out {
		k := *out[i].Key
		k.Share, k.Index = nil, -1
		out[i].Key = &k
	}
	return out
}

// newSigning commits the first threshold nodes to count items.
func newSigning(t testing.TB, s Suite, n, threshold, count int) *signing {
	t.Helper()
	return commitAll(t, s, newItems(t, s, n, threshold, count), upTo(threshold))
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// form is how nonces go over the wire: tests of this package run one after the other.
var form = FormDivided

// eachSuite runs a test for both suites, and all forms.
func eachSuite(t *testing.T, f func(*testing.T, Suite)) {
	for _, s := range []Suite{Secp256k1TR, Ed25519} {
		t.Run(s.String(), func(t *testing.T) { f(t, s) })
	}
	t.Run("ed25519 in form 0", func(t *testing.T) {
		form = 0
		defer func() { form = FormDivided }()
		f(t, Ed25519)
	})
}

func size(n, threshold int) string { return fmt.Sprintf("%d-of-%d", threshold, n) }
