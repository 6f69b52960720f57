package frost

import (
	"bytes"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

// signed is a batch after round two.
func signed(t testing.TB, s Suite, n, threshold, count int) (items []Item, set []NonceCommitment, shares [][]byte) {
	t.Helper()
	nodes := upTo(n)[n-threshold:]
	g := commitAll(t, s, newItems(t, s, n, threshold, count), nodes)
	return g.public(), g.set, g.signAll(t)
}

func TestAggregateBlames(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		items, set, good := signed(t, s, 5, 3, 4) // nodes 2, 3, 4
		over := slices.Repeat([]byte{255}, ScalarSize)
		for name, c := range map[string]struct {
			do   func(set []NonceCommitment, shares [][]byte)
			want []Blame
		}{
			"nobody": {func([]NonceCommitment, [][]byte) {}, nil},
			"one share": {func(_ []NonceCommitment, sh [][]byte) { sh[1] = flipBit(sh[1], 2*32+5) },
				[]Blame{{3, 2, reasonShare}}},
			"two nodes, two items": {func(_ []NonceCommitment, sh [][]byte) {
				sh[0], sh[2] = flipBit(sh[0], 7), flipBit(sh[2], 3*32+7)
			},
				[]Blame{{2, 0, reasonShare}, {4, 3, reasonShare}}},
			"two nodes, one item": {func(_ []NonceCommitment, sh [][]byte) {
				sh[0], sh[2] = flipBit(sh[0], 7), flipBit(sh[2], 9)
			},
				[]Blame{{2, 0, reasonShare}, {4, 0, reasonShare}}},
			"not a scalar": {func(_ []NonceCommitment, sh [][]byte) { sh[2] = replace(sh[2], 32, over) },
				[]Blame{{4, 1, reasonShare}}},
			"zero": {func(_ []NonceCommitment, sh [][]byte) { sh[2] = replace(sh[2], 32, make([]byte, 32)) },
				[]Blame{{4, 1, reasonShare}}},
			"items swapped": {func(_ []NonceCommitment, sh [][]byte) {
				sh[0] = slices.Concat(sh[0][32:64], sh[0][:32], sh[0][64:])
			},
				[]Blame{{2, 0, reasonShare}, {2, 1, reasonShare}}},
			"another's share": {func(_ []NonceCommitment, sh [][]byte) { sh[0] = sh[1] },
				[]Blame{{2, 0, reasonShare}, {2, 1, reasonShare}, {2, 2, reasonShare}, {2, 3, reasonShare}}},
			"short shares": {func(_ []NonceCommitment, sh [][]byte) { sh[0] = sh[0][1:] },
				[]Blame{{2, AllItems, reasonShareLength}}},
			"no shares": {func(_ []NonceCommitment, sh [][]byte) { sh[1] = nil },
				[]Blame{{3, AllItems, reasonShareLength}}},
			"short commitment": {func(set []NonceCommitment, _ [][]byte) { set[1].Points = set[1].Points[1:] },
				[]Blame{{3, AllItems, reasonCommitmentLength}}},
			"not a point": {func(set []NonceCommitment, _ [][]byte) { set[0].Points = replace(set[0].Points, 0, notAPoint(s)) },
				[]Blame{{2, 0, reasonCommitmentPoint}}},
		} {
			t.Run(name, func(t *testing.T) {
				set, shares := slices.Clone(set), slices.Clone(good)
				c.do(set, shares)
				sigs, blame, err := Aggregate(form, items, set, shares)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(blame, c.want) {
					t.Fatalf("blame %v, want %v", blame, c.want)
				}
				checkSigs(t, items, sigs, blame)
			})
		}
	})
}

// checkSigs checks that exactly the items nobody is blamed for have a
// signature, and a valid one.
func checkSigs(t *testing.T, items []Item, sigs []Signature, blame []Blame) {
	t.Helper()
	if len(sigs) != len(items) {
		t.Fatalf("%d signatures for %d items", len(sigs), len(items))
	}
	for i, sig := range sigs {
		bad := slices.ContainsFunc(blame, func(b Blame) bool { return b.Item == i || b.Item == AllItems })
		if bad != (sig.Bytes == nil) || bad != (sig.PublicKey == nil) {
			t.Fatalf("item %d: signature %x, blame %v", i, sig, blame)
		}
		if !bad {
			verifyElsewhere(t, items[i], sig)
		}
	}
}

func flipBit(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

func TestAggregateRefuses(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		items, set, shares := signed(t, s, 3, 2, 2)
		for name, f := range map[string]func() ([]Item, []NonceCommitment, [][]byte){
			"no items":      func() ([]Item, []NonceCommitment, [][]byte) { return nil, set, shares },
			"no set":        func() ([]Item, []NonceCommitment, [][]byte) { return items, nil, nil },
			"shares of one": func() ([]Item, []NonceCommitment, [][]byte) { return items, set, shares[:1] },
			"node twice": func() ([]Item, []NonceCommitment, [][]byte) {
				return items, []NonceCommitment{set[0], set[0]}, shares
			},
			"node out of range": func() ([]Item, []NonceCommitment, [][]byte) {
				return items, []NonceCommitment{set[0], {3, set[1].Points}}, shares
			},
		} {
			t.Run(name, func(t *testing.T) {
				if sigs, blame, err := aggregateAll(f()); err == nil || sigs != nil || blame != nil {
					t.Fatalf("got %x, %v, %v", sigs, blame, err)
				}
			})
		}
	})
}

// The order of the set does not matter.
func TestAggregateOrder(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		items, set, shares := signed(t, s, 5, 3, 2)
		slices.Reverse(set)
		slices.Reverse(shares)
		sigs, blame, err := Aggregate(form, items, set, shares)
		if err != nil || blame != nil {
			t.Fatal(err, blame)
		}
		checkSigs(t, items, sigs, nil)
	})
}

func aggregateAll(items []Item, set []NonceCommitment, shares [][]byte) ([]Signature, []Blame, error) {
	return Aggregate(form, items, set, shares)
}

func FuzzCheckCommitment(f *testing.F) {
	for _, s := range []Suite{Secp256k1TR, Ed25519} {
		g := newSigning(f, s, 3, 2, 2)
		f.Add(byte(s), 2, g.set[0].Points)
		f.Add(byte(s), 1, replace(g.set[0].Points, 0, notANonce(s))[:form.NonceSize(s)])
	}
	items := map[Suite][][]Item{}
	for _, s := range []Suite{Secp256k1TR, Ed25519} {
		items[s] = newItems(f, s, 3, 2, 1)
	}
	f.Fuzz(func(t *testing.T, b byte, count int, points []byte) {
		s := Suite(b)
		err := CheckCommitment(form, s, count, points)
		if !s.Valid() || count != 1 {
			return
		}
		// Sign judges a commitment of another node as CheckCommitment does.
		g := commitAll(t, s, items[s], []int{0})
		_, signErr := g.nonces[0].Sign([]NonceCommitment{g.set[0], {1, points}})
		if (err == nil) != (signErr == nil) {
			t.Fatalf("CheckCommitment says %v, Sign %v", err, signErr)
		}
	})
}

// Whatever a node sends as its shares, the signatures that come out are valid,
// no one else is blamed, and it is where one is missing.
func FuzzAggregate(f *testing.F) {
	type batch struct {
		items  []Item
		set    []NonceCommitment
		shares [][]byte
	}
	batches := map[bool]batch{}
	for _, s := range []Suite{Secp256k1TR, Ed25519} {
		items, set, shares := signed(f, s, 3, 2, 2)
		batches[s == Ed25519] = batch{items, set, shares}
		f.Add(s == Ed25519, 3, byte(1), []byte(nil))
		f.Add(s == Ed25519, 40, byte(0), shares[1])
		f.Add(s == Ed25519, 63, byte(128), []byte("x"))
	}
	f.Fuzz(func(t *testing.T, edwards bool, at int, xor byte, instead []byte) {
		b := batches[edwards]
		shares := slices.Clone(b.shares)
		shares[1] = slices.Clone(shares[1])
		if instead != nil {
			shares[1] = instead
		}
		if at >= 0 && at < len(shares[1]) {
			shares[1][at] ^= xor
		}
		sigs, blame, err := Aggregate(form, b.items, b.set, shares)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range blame {
			if x.Index != b.set[1].Index {
				t.Fatalf("the wrong node is blamed: %v", x)
			}
		}
		checkSigs(t, b.items, sigs, blame)
	})
}

// A node that commits to another's nonces can't answer for them: it is blamed, and
// the node that made them signs once and is not.
func TestCopiedCommitmentIsBlamed(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		g := newSigning(t, s, 3, 2, 2)
		g.set[1].Points = g.set[0].Points
		share, err := g.nonces[0].Sign(g.set)
		if err != nil {
			t.Fatal(err)
		}
		sigs, blame, err := Aggregate(form, g.public(), g.set, [][]byte{share, share})
		if want := []Blame{{1, 0, reasonShare}, {1, 1, reasonShare}}; err != nil || !slices.Equal(blame, want) {
			t.Fatalf("blame %v, %v, want %v", blame, err, want)
		}
		checkSigs(t, g.public(), sigs, blame)
	})
}

// Divided nonces have no torsion to forge: whoever adds some has committed to what he did
// before, and all sign and aggregate as if it were not there.
func TestForgedTorsionIsNone(t *testing.T) {
	g := newSigning(t, Ed25519, 3, 2, 2)
	for half := range 2 {
		for i, torsion := range curve.EIGHT_TORSION {
			g = commitAll(t, Ed25519, g.items, upTo(2))
			forged := slices.Clone(g.set[1].Points)
			addTorsionTo(t, forged[64*half:][:64], torsion)
			if i > 0 == bytes.Equal(forged, g.set[1].Points) {
				t.Fatal("nothing was forged")
			}
			if err := CheckCommitment(form, Ed25519, 2, forged); err != nil {
				t.Errorf("torsion %d: %v", i, err)
			}
			second, err := g.nonces[1].Sign(g.set)
			if err != nil {
				t.Fatal(err)
			}
			g.set[1].Points = forged
			first, err := g.nonces[0].Sign(g.set)
			if err != nil {
				t.Fatal(err)
			}
			sigs, blame, err := Aggregate(form, g.public(), g.set, [][]byte{first, second})
			if err != nil || blame != nil {
				t.Fatalf("torsion %d: %v, blame %v", i, err, blame)
			}
			checkSigs(t, g.public(), sigs, nil)
		}
	}
}

// addTorsionTo adds a point of small order to one by its coordinates.
func addTorsionTo(t *testing.T, coordinates []byte, torsion *edwards25519.Point) {
	t.Helper()
	var a edwards25519.Affine
	if !a.SetCoordinates(coordinates) {
		t.Fatal("no point")
	}
	b := a.Encode()
	p, err := edwards25519.DecodeTrusted(b[:])
	if err != nil {
		t.Fatal(err)
	}
	b = edwards25519.Encode(p.Add(p, torsion))
	if a, err = edwards25519.DecodeAffine(b[:]); err != nil {
		t.Fatal(err)
	}
	copy(coordinates, a.AppendCoordinates(nil))
}

// A point of mixed order that was not refused before makes the signature fail, and
// it is the commitment that is blamed.
func TestMixedOrderIsBlamed(t *testing.T) {
	form = 0
	defer func() { form = FormDivided }()
	for half := range 2 {
		g := newSigning(t, Ed25519, 3, 1, 1)
		shares := g.signAll(t)
		g.set[0].Points = slices.Clone(g.set[0].Points)
		addTorsion(g.set[0].Points[32*half:][:32])
		sigs, blame, err := Aggregate(form, g.public(), g.set, shares)
		if want := []Blame{{0, 0, reasonCommitmentPoint}}; err != nil || !slices.Equal(blame, want) {
			t.Fatalf("blame %v, %v, want %v", blame, err, want)
		}
		checkSigs(t, g.public(), sigs, blame)
	}
}
