package frost

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

const liar, victim = 1, 0

// lie is a deal of node 1 that breaks the protocol. The boxes are sealed again
// over what tell made of it, unless tell is about the boxes, so that no lie is
// caught by the box's associated data that should be caught before.
type lie struct {
	name string
	tell func(t *testing.T, f *fleet, d *Deal)
	code string
	// raw leaves the boxes alone; recovers means that Recover, which checks no
	// proof, has no reason to refuse.
	raw, recovers bool
}

func fill(b []byte, hexBytes string) {
	v, err := hex.DecodeString(hexBytes)
	if err != nil {
		panic(err)
	}
	clear(b)
	copy(b, v)
}

func liesOfAllSuites() []lie {
	return []lie{
		{name: "proof scalar changed", code: CodeProof, recovers: true, tell: func(_ *testing.T, f *fleet, d *Deal) {
			d.Proofs[f.Suite.PointSize()+8] ^= 1
		}},
		{name: "last proof changed", code: CodeProof, recovers: true, tell: func(_ *testing.T, f *fleet, d *Deal) {
			d.Proofs[len(d.Proofs)-24] ^= 1
		}},
		{name: "proof scalar not canonical", code: CodeProof, recovers: true, tell: func(_ *testing.T, f *fleet, d *Deal) {
			fill(d.Proofs[f.Suite.PointSize():][:32], "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")
		}},
		{name: "proofs of two keys swapped", code: CodeProof, recovers: true, tell: func(_ *testing.T, f *fleet, d *Deal) {
			n := f.Suite.PointSize() + 32
			d.Proofs = slices.Concat(d.Proofs[n:2*n], d.Proofs[:n], d.Proofs[2*n:])
		}},
		{name: "one key's commitments for another key", code: CodeProof, tell: func(_ *testing.T, f *fleet, d *Deal) {
			commitments, proof := f.T*f.Suite.PointSize(), f.Suite.PointSize()+32
			copy(d.Commitments[commitments:2*commitments], d.Commitments)
			copy(d.Proofs[proof:2*proof], d.Proofs)
		}},
		{name: "rogue key: commitments and proofs of another", code: CodeProof, tell: func(_ *testing.T, f *fleet, d *Deal) {
			d.Commitments = bytes.Clone(f.deals[2].Commitments)
			d.Proofs = bytes.Clone(f.deals[2].Proofs)
		}},
		{name: "rogue key: another dealer's deal", code: CodeProof, raw: true, tell: func(_ *testing.T, f *fleet, d *Deal) {
			*d = *f.deals[2]
		}},
		{name: "deal of another context", code: CodeProof, raw: true, tell: func(t *testing.T, f *fleet, d *Deal) {
			other := *f
			other.Context[5] ^= 1
			*d = *other.deal(t, liar)
		}},
		{name: "commitment of higher degree changed", code: CodeShare, tell: func(_ *testing.T, f *fleet, d *Deal) {
			size := f.Suite.PointSize()
			copy(d.Commitments[size:][:size], f.deals[2].Commitments[size:])
		}},
		{name: "box garbled", code: CodeShare, raw: true, tell: func(_ *testing.T, _ *fleet, d *Deal) {
			d.Shares[victim][7] ^= 1
		}},
		{name: "boxes of two recipients swapped", code: CodeShare, raw: true, tell: func(_ *testing.T, _ *fleet, d *Deal) {
			d.Shares[0], d.Shares[2] = d.Shares[2], d.Shares[0]
		}},
		{name: "wrong ephemeral key", code: CodeShare, raw: true, tell: func(_ *testing.T, f *fleet, d *Deal) {
			d.Ephemeral = f.deals[2].Ephemeral
		}},
		{name: "ephemeral key of small order", code: CodePoint, raw: true, tell: func(_ *testing.T, _ *fleet, d *Deal) {
			d.Ephemeral = [32]byte{1}
		}},
		{name: "no commitments", code: CodeMalformed, raw: true,
			tell: func(_ *testing.T, _ *fleet, d *Deal) { d.Commitments = nil }},
		{name: "a commitment too many", code: CodeMalformed, raw: true, tell: func(_ *testing.T, f *fleet, d *Deal) {
			d.Commitments = append(d.Commitments, d.Commitments[:f.Suite.PointSize()]...)
		}},
		{name: "a commitment too few", code: CodeMalformed, raw: true, tell: func(_ *testing.T, f *fleet, d *Deal) {
			d.Commitments = d.Commitments[f.Suite.PointSize():]
		}},
		{name: "a proof too few", code: CodeMalformed, raw: true, tell: func(_ *testing.T, f *fleet, d *Deal) {
			d.Proofs = d.Proofs[:len(d.Proofs)-1]
		}},
		{name: "a box too few", code: CodeMalformed, raw: true,
			tell: func(_ *testing.T, _ *fleet, d *Deal) { d.Shares = d.Shares[:2] }},
		{name: "a box too many", code: CodeMalformed, raw: true, tell: func(_ *testing.T, _ *fleet, d *Deal) {
			d.Shares = append(d.Shares, d.Shares[0])
		}},
		{name: "another's box too short", code: CodeMalformed, raw: true, tell: func(_ *testing.T, _ *fleet, d *Deal) {
			d.Shares[2] = d.Shares[2][1:]
		}},
		{name: "empty deal", code: CodeMalformed, raw: true, tell: func(_ *testing.T, _ *fleet, d *Deal) { *d = Deal{} }},
	}
}

func liesOfSecp256k1() []lie {
	return []lie{
		{name: "point off the curve", code: CodePoint,
			tell: func(_ *testing.T, _ *fleet, d *Deal) { d.Commitments[127] ^= 1 }},
		{name: "proof point off the curve", code: CodePoint, recovers: true,
			tell: func(_ *testing.T, _ *fleet, d *Deal) { d.Proofs[0] ^= 1 }},
		{name: "identity as zeros", code: CodePoint,
			tell: func(_ *testing.T, _ *fleet, d *Deal) { clear(d.Commitments[:64]) }},
		{name: "coordinate not canonical", code: CodePoint, tell: func(_ *testing.T, _ *fleet, d *Deal) {
			fill(d.Commitments[:32], "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")
		}},
	}
}

// smallOrder has a point of each order that divides 8.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000", // identity
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
	"0000000000000000000000000000000000000000000000000000000000000000", // order 4
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
}

func liesOfEdwards25519() []lie {
	lies := []lie{
		{name: "y above the prime", code: CodePoint, tell: func(_ *testing.T, _ *fleet, d *Deal) {
			fill(d.Commitments[32:64], "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
		}},
		{name: "point off the curve", code: CodePoint,
			tell: func(_ *testing.T, _ *fleet, d *Deal) {
				fill(d.Commitments[32:64], "0200000000000000000000000000000000000000000000000000000000000000")
			}},
		{name: "first commitment of mixed order, old proof", code: CodeProof, recovers: true,
			tell: func(_ *testing.T, _ *fleet, d *Deal) {
				addTorsion(d.Commitments[:32])
			}},
	}
	for _, encoding := range smallOrder {
		for i, at := range []func(*Deal) []byte{
			func(d *Deal) []byte { return d.Commitments[:32] },
			func(d *Deal) []byte { return d.Commitments[32:64] },
			func(d *Deal) []byte { return d.Proofs[:32] },
		} {
			lies = append(lies, lie{name: "small order " + encoding[:4], code: CodeIdentity, recovers: i == 2,
				tell: func(_ *testing.T, _ *fleet, d *Deal) { fill(at(d), encoding) }})
		}
	}
	return lies
}

// addTorsion adds a point of order 8 to an encoded point.
func addTorsion(encoding []byte) {
	var torsion [32]byte
	fill(torsion[:], smallOrder[3])
	sum := curve.NewEdwardsPoint()
	for _, b := range [][]byte{encoding, torsion[:]} {
		c, err := curve.NewCompressedEdwardsYFromBytes(b)
		if err != nil {
			panic(err)
		}
		p, err := curve.NewEdwardsPoint().SetCompressedY(c)
		if err != nil {
			panic(err)
		}
		sum.Add(sum, p)
	}
	b := edwards25519.Encode(sum)
	copy(encoding, b[:])
}

func TestLiesAreBlamed(t *testing.T) {
	for _, suite := range suites {
		lies := append(liesOfAllSuites(), liesOfSecp256k1()...)
		if suite == Ed25519 {
			lies = append(liesOfAllSuites(), liesOfEdwards25519()...)
		}
		for _, l := range lies {
			t.Run(suite.String()+"/"+l.name, func(t *testing.T) {
				f := newFleet(t, suite, 2, 3, 3)
				plain := f.openAll(t, f.deals[liar])
				l.tell(t, f, f.deals[liar])
				if !l.raw {
					f.sealAll(t, f.deals[liar], plain)
				}
				_, err := Finalize(f.Params, victim, f.hosts[victim], f.deals)
				wantBlame(t, err, l.code)
				_, err = Recover(f.Params, victim, f.hosts[victim], f.deals)
				if l.recovers {
					if err != nil {
						t.Errorf("Recover: %v", err)
					}
				} else if err == nil {
					t.Error("Recover accepted it")
				}
				if _, err = Summarize(f.Params, f.deals); l.code == CodeMalformed || l.code == CodeIdentity {
					wantBlame(t, err, l.code)
				}
			})
		}
	}
}

func wantBlame(t *testing.T, err error, code string) {
	t.Helper()
	wantBlameOf(t, err, liar, code)
}

func wantBlameOf(t *testing.T, err error, dealer int, code string) {
	t.Helper()
	var blame *BlameError
	if !errors.As(err, &blame) {
		t.Fatalf("got %v, want blame", err)
	}
	if blame.Dealer != dealer || blame.Code != code || blame.Reason == "" {
		t.Fatalf("got blame of %d: %v, want of %d with code %s", blame.Dealer, err, dealer, code)
	}
}

// openAll opens all boxes of the liar's deal, for it knows what is in them.
func (f *fleet) openAll(t *testing.T, d *Deal) [][]byte {
	t.Helper()
	return openBoxes(t, f.Params, f.hosts, liar, d)
}

func openBoxes(t *testing.T, p Params, hosts []*[32]byte, dealer int, d *Deal) (plain [][]byte) {
	t.Helper()
	ad := d.digest(p, dealer)
	for j := range p.N {
		own, _ := ecdh.X25519().NewPrivateKey(hosts[j][:])
		aead, err := box(p, own, &d.Ephemeral, &d.Ephemeral, dealer, j)
		if err != nil {
			t.Fatal(err)
		}
		b, err := aead.Open(nil, boxNonce[:], d.Shares[j], ad[:])
		if err != nil {
			t.Fatal(err)
		}
		plain = append(plain, b)
	}
	return plain
}

// sealAll seals the boxes of the liar's deal as it is now.
func (f *fleet) sealAll(t *testing.T, d *Deal, plain [][]byte) {
	t.Helper()
	sealBoxes(t, f.Params, f.seeds[liar], liar, d, plain)
}

func sealBoxes(t *testing.T, p Params, seed *[32]byte, dealer int, d *Deal, plain [][]byte) {
	t.Helper()
	ephemeral, err := ephemeralKey(p, dealer, seed)
	if err != nil {
		t.Fatal(err)
	}
	d.Shares = nil
	box := func(dst []byte, j int) []byte { return append(dst, plain[j]...) }
	if err := d.seal(p, dealer, ephemeral, box); err != nil {
		t.Fatal(err)
	}
}

// Properly sealed boxes with wrong shares in them: only the recipients of the
// wrong ones can tell.
func TestWrongShares(t *testing.T) {
	tests := map[string]struct {
		change  func(plain [][]byte)
		victims []int
	}{
		"one bit of the last key": {func(p [][]byte) { p[0][2*32+9] ^= 1 }, []int{0}},
		"contents swapped":        {func(p [][]byte) { p[0], p[2] = p[2], p[0] }, []int{0, 2}},
		"keys swapped": {func(p [][]byte) {
			p[2] = slices.Concat(p[2][32:64], p[2][:32], p[2][64:])
		}, []int{2}},
		"not canonical": {func(p [][]byte) { copy(p[0], bytes.Repeat([]byte{0xff}, 32)) }, []int{0}},
	}
	for _, suite := range suites {
		for name, test := range tests {
			t.Run(suite.String()+"/"+name, func(t *testing.T) {
				f := newFleet(t, suite, 2, 3, 3)
				plain := f.openAll(t, f.deals[liar])
				test.change(plain)
				f.sealAll(t, f.deals[liar], plain)
				for i := range f.N {
					_, err := Finalize(f.Params, i, f.hosts[i], f.deals)
					_, recoverErr := Recover(f.Params, i, f.hosts[i], f.deals)
					if slices.Contains(test.victims, i) {
						wantBlame(t, err, CodeShare)
						wantBlame(t, recoverErr, CodeShare)
					} else if err != nil || recoverErr != nil {
						t.Errorf("node %d can't know of it, but: %v, %v", i, err, recoverErr)
					}
				}
			})
		}
	}
}

func TestMissingDeal(t *testing.T) {
	for _, suite := range suites {
		f := newFleet(t, suite, 2, 3, 1)
		f.deals[liar] = nil
		_, err := Finalize(f.Params, victim, f.hosts[victim], f.deals)
		wantBlame(t, err, CodeMalformed)
		_, err = Recover(f.Params, victim, f.hosts[victim], f.deals)
		wantBlame(t, err, CodeMalformed)
		_, err = Summarize(f.Params, f.deals)
		wantBlame(t, err, CodeMalformed)
	}
}

// A dealer with points of mixed order and a proof made for them gains nothing:
// the eight removes the torsion, and all that comes out is of prime order.
func TestMixedOrderIsHarmless(t *testing.T) {
	f := newFleet(t, Ed25519, 2, 3, 1)
	want := f.finalize(t, victim)
	d := f.deals[liar]
	plain := f.openAll(t, d)
	addTorsion(d.Commitments[:32])
	addTorsion(d.Commitments[32:])
	coefficients := make([]edwards25519.Scalar, 2)
	randomScalars(edwardsGroup{}, coefficients, dealStream(f.Params, liar, f.seeds[liar], "coefficients"))
	nonces := dealStream(f.Params, liar, f.seeds[liar], "nonces")
	d.Proofs = prove(edwardsGroup{}, f.Params, liar, coefficients, d.Commitments, nonces)
	f.sealAll(t, d, plain)
	got := f.finalize(t, victim)
	if !bytes.Equal(got.Commitments, want.Commitments) || !bytes.Equal(got.PublicKeys[0], want.PublicKeys[0]) {
		t.Error("torsion changes the keys")
	}
	for point := range slices.Chunk(got.Commitments, edwards25519.PointSize) {
		if _, err := edwards25519.DecodePoint(point); err != nil {
			t.Errorf("summed commitments: %v", err)
		}
	}
}

// Dealers who work together can cancel each other out. If they are all there
// are, nobody honest is hurt, but the identity must not become a key.
func TestIdentitySum(t *testing.T) {
	for _, suite := range suites {
		f := newFleet(t, suite, 1, 2, 1)
		var err error
		if suite == Secp256k1TR {
			f.deals[1], err = oppositeDeal(secpGroup{}, f)
		} else {
			f.deals[1], err = oppositeDeal(edwardsGroup{}, f)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Finalize(f.Params, 0, f.hosts[0], f.deals); !errors.Is(err, ErrIdentitySum) {
			t.Errorf("%v: Finalize: %v, want ErrIdentitySum", suite, err)
		}
		if _, err := Summarize(f.Params, f.deals); !errors.Is(err, ErrIdentitySum) {
			t.Errorf("%v: Summarize: %v, want ErrIdentitySum", suite, err)
		}
	}
}

// oppositeDeal is node 1's deal of the negated polynomials of node 0.
func oppositeDeal[S, P any](g group[S, P], f *fleet) (*Deal, error) {
	coefficients := make([]S, f.K*f.T)
	randomScalars(g, coefficients, dealStream(f.Params, 0, f.seeds[0], "coefficients"))
	minusOne := minusOne(g)
	for i := range coefficients {
		g.mul(&coefficients[i], &coefficients[i], minusOne)
	}
	return dealOut(g, f.generation(), 1, f.seeds[1], coefficients)
}

// minusOne is the order less one, as a group has no subtraction.
func minusOne[S, P any](g group[S, P]) *S {
	order := "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"
	if _, ok := any(g).(edwardsGroup); ok {
		order = "ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"
	}
	b, err := hex.DecodeString(order)
	if err != nil {
		panic(err)
	}
	s := new(S)
	if err := g.decodeScalar(s, b); err != nil {
		panic(err)
	}
	return s
}

// A node leaves the proofs of its own deal to the others, all of whom look at them.
func TestOwnProofs(t *testing.T) {
	for _, suite := range suites {
		f := newFleet(t, suite, 2, 3, 3)
		plain := f.openAll(t, f.deals[liar])
		f.deals[liar].Proofs[len(f.deals[liar].Proofs)-1] ^= 1
		f.sealAll(t, f.deals[liar], plain)
		for i := range f.N {
			_, err := Finalize(f.Params, i, f.hosts[i], f.deals)
			if i != liar {
				wantBlame(t, err, CodeProof)
			} else if err != nil {
				t.Errorf("%v: node %d looks at its own proofs: %v", suite, i, err)
			}
		}
	}
}
