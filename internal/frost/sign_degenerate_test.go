package frost

import (
	"crypto/ecdh"
	"crypto/rand"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// chooseOwnShare replaces the liar's deal by one after which its share of
// every key is the small number own. Only the last to deal can do that, and
// only to itself: it needs what the others dealt to it, and no more.
func chooseOwnShare[S, P any](t *testing.T, g group[S, P], f *fleet, own uint32) {
	t.Helper()
	coefficients := make([]S, f.K*f.T)
	randomScalars(g, coefficients, dealStream(f.Params, liar, f.seeds[liar], "coefficients"))
	host, err := ecdh.X25519().NewPrivateKey(f.hosts[liar][:])
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSession(g, f.generation(), f.deals)
	if err != nil {
		t.Fatal(err)
	}
	minus, x := minusOne(g), g.small(liar+1)
	for key := range f.K {
		f0 := &coefficients[key*f.T]
		rest := *g.small(0)
		for c := f.T - 1; c >= 1; c-- {
			g.add(&rest, &rest, &coefficients[key*f.T+c])
			g.mul(&rest, &rest, x)
		}
		for i := range f.N {
			if i != liar {
				shares := make([]S, f.K)
				if err := s.openBox(shares, liar, host, i); err != nil {
					t.Fatal(err)
				}
				g.add(&rest, &rest, &shares[key])
			}
		}
		g.mul(&rest, &rest, minus)
		g.add(f0, &rest, g.small(own))
	}
	if f.deals[liar], err = dealOut(g, f.generation(), liar, f.seeds[liar], coefficients); err != nil {
		t.Fatal(err)
	}
}

// A node that deals last can give itself the share 0 or 1: its public share is
// then the identity or the base point, which a signing library may refuse. It
// must not stop the others: they sign with it, or it is blamed.
func TestChosenOwnShare(t *testing.T) {
	for _, suite := range suites {
		for _, own := range []uint32{0, 1} {
			for _, lies := range []bool{false, true} {
				f := newFleet(t, suite, 2, 3, 2)
				if suite == Secp256k1TR {
					chooseOwnShare(t, secpGroup{}, f, own)
				} else {
					chooseOwnShare(t, edwardsGroup{}, f, own)
				}
				items := make([][]Item, f.N)
				for i := range f.N {
					b := f.finalize(t, i)
					for key := range f.K {
						k := &Key{
							Suite: suite, N: f.N, T: f.T, Index: i, PublicKey: b.PublicKeys[key],
							VSSCommitment: b.Commitments[key*f.T*suite.PointSize():][:f.T*suite.PointSize()],
							Share:         secret.New(slices.Clone(b.Shares.Expose()[key*32:][:32])),
						}
						items[i] = append(items[i], Item{Key: k, Message: make([]byte, 32), Tweak: tweaks[suite][0]})
					}
				}
				honest, points, err := Commit(rand.Reader, [32]byte{}, form, items[victim])
				if err != nil {
					t.Fatal(err)
				}
				// The liar commits as it likes; with the share that it has it answers its nonces alone.
				lying, lyingPoints, err := commitWithAnyShare(suite, items[liar])
				if err != nil {
					t.Fatal(err)
				}
				set := []NonceCommitment{{victim, points}, {liar, lyingPoints}}
				share, err := honest.Sign(set)
				if err != nil {
					t.Errorf("%v, own share %d: an honest node can't sign beside it: %v", suite, own, err)
					continue
				}
				answer, err := lying.Sign(set)
				if err != nil {
					answer = make([]byte, len(share)) // of no interest here: what counts is who is blamed
					answer[0], answer[32] = 1, 1
					lies = true
				}
				if lies {
					answer[3] ^= 1
					answer[32+3] ^= 1
				}
				sigs, blame, err := Aggregate(form, items[2], set, [][]byte{share, answer})
				switch {
				case err != nil:
					t.Errorf("%v, own share %d, lying %v: nobody is blamed: %v", suite, own, lies, err)
				case lies && (len(blame) != f.K || blame[0].Index != liar || blame[1].Index != liar):
					t.Errorf("%v, own share %d: blamed %v, want node %d for both items", suite, own, blame, liar)
				case !lies && (blame != nil || sigs[0].Bytes == nil || sigs[1].Bytes == nil):
					t.Errorf("%v, own share %d: no signatures; blamed %v", suite, own, blame)
				}
			}
		}
	}
}

// commitWithAnyShare is Commit, if the share does not stop it, and otherwise
// Commit with another share: the liar can draw nonces in any case.
func commitWithAnyShare(s Suite, items []Item) (*Nonces, []byte, error) {
	if n, points, err := Commit(rand.Reader, [32]byte{}, form, items); err == nil {
		return n, points, nil
	}
	others := slices.Clone(items)
	for i := range others {
		k := *others[i].Key
		k.Index = victim
		anyShare := make([]byte, 32)
		anyShare[15] = 1 // in range in either byte order
		k.Share = secret.New(anyShare)
		others[i].Key = &k
	}
	return Commit(rand.Reader, [32]byte{}, form, others)
}

// Two nodes that work together can have equal shares, which the signing
// library refuses, too.
func TestEqualShares(t *testing.T) {
	items := make([][]Item, 3)
	for i, k := range dealPolynomial(edwardsGroup{}, Ed25519, []uint32{7, 3, 0}, 3) { // 7 + 3x - x²: f(1) = f(2)
		items[i] = []Item{{Key: k, Message: []byte("message")}}
	}
	if string(items[0][0].Key.Share.Expose()) != string(items[1][0].Key.Share.Expose()) {
		t.Fatal("the shares are not equal")
	}
	g := commitAll(t, Ed25519, items, upTo(3))
	sigs, blame, err := Aggregate(form, g.public(), g.set, g.signAll(t))
	if err != nil {
		t.Fatal(err)
	}
	checkSigs(t, g.public(), sigs, blame)
}

// dealPolynomial deals the polynomial of these coefficients, the last of which
// is replaced by -1.
func dealPolynomial[S, P any](g group[S, P], s Suite, small []uint32, n int) []*Key {
	coefficients := make([]S, len(small))
	var commitments []byte
	for c, a := range small {
		coefficients[c] = *g.small(a)
		if c == len(small)-1 {
			coefficients[c] = *minusOne(g)
		}
		commitments = g.appendPoint(commitments, g.baseMult(&coefficients[c]))
	}
	keys := make([]*Key, n)
	for i := range keys {
		share := evaluate(g, Params{T: len(small), K: 1}, nil, coefficients, i)
		keys[i] = &Key{Suite: s, N: n, T: len(small), Index: i, PublicKey: g.publicKey(commitments[:s.PointSize()]),
			VSSCommitment: commitments, Share: secret.New(share)}
	}
	return keys
}

// An invalid set is refused as a whole: nobody outside the fleet is
// blamed, whatever lengths the commitments have.
func TestNoBlameOutsideTheFleet(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		g := newSigning(t, s, 3, 2, 1)
		shares := g.signAll(t)
		for name, set := range map[string][]NonceCommitment{
			"out of range": {{0, nil}, {999, nil}},
			"twice":        {{0, nil}, {0, g.set[0].Points}},
		} {
			if _, blame, err := Aggregate(form, g.public(), set, shares); err == nil || blame != nil {
				t.Errorf("%s: blamed %v, error %v", name, blame, err)
			}
		}
	})
}

// Errors that cancel out unless each equation has a weight of its own.
func TestErrorsDoNotCancel(t *testing.T) {
	for _, suite := range suites {
		t.Run(suite.String(), func(t *testing.T) {
			if suite == Secp256k1TR {
				testErrorsDoNotCancel(t, secpGroup{}, suite)
			} else {
				testErrorsDoNotCancel(t, edwardsGroup{}, suite)
			}
		})
	}
}

func testErrorsDoNotCancel[S, P any](t *testing.T, g group[S, P], suite Suite) {
	shift := func(b []byte, by *S) {
		var s S
		if err := g.decodeScalar(&s, b); err != nil {
			t.Fatal(err)
		}
		g.add(&s, &s, by)
		copy(b, g.appendScalar(nil, &s))
	}
	one, less := g.small(1), minusOne(g)
	size := suite.PointSize()
	for name, tell := range map[string]func(f *fleet, d *Deal) string{
		"proofs of two keys": func(f *fleet, d *Deal) string {
			shift(d.Proofs[size:][:32], one)
			shift(d.Proofs[size+32+size:][:32], less)
			f.sealAll(t, d, f.openAll(t, f.deal(t, liar)))
			return CodeProof
		},
		"proofs of two dealers": func(f *fleet, d *Deal) string {
			shift(d.Proofs[size:][:32], one)
			f.sealAll(t, d, f.openAll(t, f.deal(t, liar)))
			return CodeProof
		},
		"shares of two keys": func(f *fleet, d *Deal) string {
			plain := f.openAll(t, d)
			shift(plain[victim][:32], one)
			shift(plain[victim][32:64], less)
			f.sealAll(t, d, plain)
			return CodeShare
		},
	} {
		f := newFleet(t, suite, 2, 3, 3)
		if name == "proofs of two dealers" {
			shift(f.deals[2].Proofs[size:][:32], less)
		}
		code := tell(f, f.deals[liar])
		_, err := Finalize(f.Params, victim, f.hosts[victim], f.deals)
		t.Run(name, func(t *testing.T) { wantBlame(t, err, code) })
	}
}

// Where a key's commitments are no points nobody's share can be checked, and so nobody is blamed:
// an item fails, and the honest node beside the liar is not proven faulty.
func TestNobodyIsBlamedForAKey(t *testing.T) {
	for _, suite := range suites {
		items := newItems(t, suite, 3, 2, 2)
		g := commitAll(t, suite, items, []int{0, 2})
		shares := g.signAll(t)
		shares[1][0] ^= 1 // of item 0
		size := suite.PointSize()
		known := slices.Clone(items[1])
		k := *known[0].Key
		k.VSSCommitment = slices.Clone(k.VSSCommitment)
		for i := range size {
			k.VSSCommitment[size+i] = 0xff
		}
		known[0].Key = &k
		sigs, blame, err := Aggregate(form, known, g.set, shares)
		if err == nil || len(blame) != 0 {
			t.Errorf("%v: blame %v, error %v", suite, blame, err)
		}
		if sigs[0].Bytes != nil || sigs[1].Bytes == nil {
			t.Errorf("%v: a key that is wrong costs others something, or has a signature", suite)
		}
	}
}
