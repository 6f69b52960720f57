package frost

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// The second of the dealers 0 and 2 lies.
const falseDealer = 2

// lied is a resharing of three keys from 2-of-3 to 3-of-4, before somebody lies in it.
func lied(t *testing.T, suite Suite) (m *move, d *ReshareDeal) {
	t.Helper()
	m = newMove(t, founded(t, suite, 2, 3, 3), []int{0, falseDealer}, 3, 4)
	return m, m.deals[1]
}

// boundSeed is what the false dealer draws from.
func (m *move) boundSeed() *[32]byte {
	b := Hash("frostfleet/reshare/seed/v1", m.seeds[1][:], m.from.shares[falseDealer].Expose())
	return &b
}

// openAll opens all boxes of the false dealer; sealAll seals them over the deal as it
// is now.
func (m *move) openAll(t *testing.T) [][]byte {
	t.Helper()
	return openBoxes(t, m.params(), m.hosts, falseDealer, withoutProofs(m.deals)[1])
}

func (m *move) sealAll(t *testing.T, plain [][]byte) {
	t.Helper()
	d := withoutProofs(m.deals)[1]
	sealBoxes(t, m.params(), m.boundSeed(), falseDealer, d, plain)
	m.deals[1].Shares = d.Shares
}

// falseDeal is the false dealer's deal of shares that change made.
func (m *move) falseDeal(t *testing.T, change func(shares []byte)) {
	t.Helper()
	shares := slices.Clone(m.from.shares[falseDealer].Expose())
	change(shares)
	d, err := NewReshareDeal(m.ReshareParams, falseDealer, secret.New(shares), m.seeds[1])
	if err != nil {
		t.Fatal(err)
	}
	m.deals[1] = d
}

type reshareLie struct {
	tell func(t *testing.T, m *move, d *ReshareDeal)
	code string
	raw  bool // tell is about the boxes too, which are not sealed again
}

var reshareLies = map[string]reshareLie{
	"another share": {code: CodeShare, raw: true, tell: func(t *testing.T, m *move, _ *ReshareDeal) {
		m.falseDeal(t, func(b []byte) { b[2*32+9] ^= 1 })
	}},
	"the share of another node": {code: CodeShare, raw: true, tell: func(t *testing.T, m *move, _ *ReshareDeal) {
		m.falseDeal(t, func(b []byte) { copy(b, m.from.shares[1].Expose()) })
	}},
	"shares of two keys swapped": {code: CodeShare, raw: true, tell: func(t *testing.T, m *move, _ *ReshareDeal) {
		m.falseDeal(t, func(b []byte) { copy(b, slices.Concat(b[32:64], b[:32])) })
	}},
	"no share, or zero": {code: CodeShare, raw: true, tell: func(t *testing.T, m *move, _ *ReshareDeal) {
		m.falseDeal(t, func(b []byte) { clear(b) })
	}},
	"another set of dealers": {code: CodeShare, raw: true, tell: func(t *testing.T, m *move, _ *ReshareDeal) {
		other := *m
		other.Dealers = []int{1, falseDealer}
		m.deals[1] = other.deal(t, 1)
	}},
	"another context": {code: CodeShare, raw: true, tell: func(t *testing.T, m *move, _ *ReshareDeal) {
		other := *m
		other.Context[5] ^= 1
		m.deals[1] = other.deal(t, 1)
	}},
	"another dealer's deal": {code: CodeShare, raw: true, tell: func(_ *testing.T, m *move, d *ReshareDeal) {
		*d = *m.deals[0]
	}},
	"commitments of two keys swapped": {code: CodeShare, tell: func(_ *testing.T, m *move, d *ReshareDeal) {
		n := 2 * m.Suite.PointSize()
		d.Commitments = slices.Concat(d.Commitments[n:2*n], d.Commitments[:n], d.Commitments[2*n:])
	}},
	"last commitment of another dealer": {code: CodeShare, tell: func(_ *testing.T, m *move, d *ReshareDeal) {
		last := len(d.Commitments) - m.Suite.PointSize()
		copy(d.Commitments[last:], m.deals[0].Commitments[last:])
	}},
	"box garbled": {code: CodeShare, raw: true, tell: func(_ *testing.T, _ *move, d *ReshareDeal) {
		d.Shares[victim][7] ^= 1
	}},
	"boxes swapped": {code: CodeShare, raw: true, tell: func(_ *testing.T, _ *move, d *ReshareDeal) {
		d.Shares[0], d.Shares[2] = d.Shares[2], d.Shares[0]
	}},
	"wrong ephemeral key": {code: CodeShare, raw: true, tell: func(_ *testing.T, m *move, d *ReshareDeal) {
		d.Ephemeral = m.deals[0].Ephemeral
	}},
	"ephemeral key of small order": {code: CodePoint, raw: true, tell: func(_ *testing.T, _ *move, d *ReshareDeal) {
		d.Ephemeral = [32]byte{1}
	}},
	"ephemeral key zero": {code: CodePoint, raw: true, tell: func(_ *testing.T, _ *move, d *ReshareDeal) {
		d.Ephemeral = [32]byte{}
	}},
	"no deal": {code: CodeMalformed, raw: true, tell: func(_ *testing.T, m *move, _ *ReshareDeal) {
		m.deals[1] = nil
	}},
	"empty deal": {code: CodeMalformed, raw: true, tell: func(_ *testing.T, _ *move, d *ReshareDeal) {
		*d = ReshareDeal{}
	}},
	"no commitments": {code: CodeMalformed, raw: true, tell: func(_ *testing.T, _ *move, d *ReshareDeal) {
		d.Commitments = nil
	}},
	"commitments to constant terms too": {code: CodeMalformed, raw: true, tell: func(_ *testing.T, m *move, d *ReshareDeal) {
		d.Commitments = append(d.Commitments, d.Commitments[:m.K*m.Suite.PointSize()]...)
	}},
	"a byte of commitments too many": {code: CodeMalformed, raw: true, tell: func(_ *testing.T, _ *move, d *ReshareDeal) {
		d.Commitments = append(d.Commitments, 0)
	}},
	"a box too few": {code: CodeMalformed, raw: true, tell: func(_ *testing.T, _ *move, d *ReshareDeal) {
		d.Shares = d.Shares[:3]
	}},
	"a box too many": {code: CodeMalformed, raw: true, tell: func(_ *testing.T, _ *move, d *ReshareDeal) {
		d.Shares = append(d.Shares, d.Shares[0])
	}},
	"a short box": {code: CodeMalformed, raw: true, tell: func(_ *testing.T, _ *move, d *ReshareDeal) {
		d.Shares[3] = d.Shares[3][1:]
	}},
}

// badCommitments are encodings that are no point of prime order, with their codes.
func badCommitments(suite Suite) map[string]string {
	if suite == Ed25519 {
		bad := map[string]string{
			"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": CodePoint, // above the prime
			"0200000000000000000000000000000000000000000000000000000000000000": CodePoint, // off the curve
		}
		for _, encoding := range smallOrder {
			bad[encoding] = CodeIdentity
		}
		return bad
	}
	return map[string]string{
		"":     CodePoint, // zeros, as which the identity might be written
		"0002": CodePoint,
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff": CodePoint, // not canonical
	}
}

func TestReshareLiesAreBlamed(t *testing.T) {
	for _, suite := range suites {
		lies := map[string]reshareLie{}
		for encoding, code := range badCommitments(suite) {
			lies["commitment 0x"+encoding] = reshareLie{code: code, tell: func(_ *testing.T, m *move, d *ReshareDeal) {
				at := 3 * m.Suite.PointSize() // the second of the second key
				fill(d.Commitments[at:][:m.Suite.PointSize()], encoding)
			}}
		}
		for _, all := range []map[string]reshareLie{reshareLies, lies} {
			for name, lie := range all {
				t.Run(suite.String()+"/"+name, func(t *testing.T) {
					m, d := lied(t, suite)
					plain := m.openAll(t)
					lie.tell(t, m, d)
					if !lie.raw {
						m.sealAll(t, plain)
					}
					testReshareLie(t, m, lie.code)
				})
			}
		}
	}
}

func testReshareLie(t *testing.T, m *move, code string) {
	t.Helper()
	_, err := m.finalize(victim)
	wantBlameOf(t, err, falseDealer, code)
	if _, err := m.recover(victim); err == nil {
		t.Error("recovered")
	} else if !errors.Is(err, ErrRecover) { // else the dealer, and no other
		wantBlameOf(t, err, falseDealer, code)
	}
	_, err = SummarizeReshare(m.ReshareParams, m.from.public.PublicKeys, m.deals)
	if public := code == CodeMalformed || code == CodeIdentity; public {
		wantBlameOf(t, err, falseDealer, code)
	}
}

// Properly sealed boxes with wrong shares in them: only the recipients of the
// wrong ones can tell.
func TestReshareWrongShares(t *testing.T) {
	tests := map[string]struct {
		change  func(plain [][]byte)
		victims []int
	}{
		"one bit of the last key": {func(p [][]byte) { p[0][2*32+9] ^= 1 }, []int{0}},
		"contents swapped":        {func(p [][]byte) { p[0], p[2] = p[2], p[0] }, []int{0, 2}},
		"keys swapped": {func(p [][]byte) {
			p[3] = slices.Concat(p[3][32:64], p[3][:32], p[3][64:])
		}, []int{3}},
		"not canonical": {func(p [][]byte) { copy(p[1], bytes.Repeat([]byte{0xff}, 32)) }, []int{1}},
	}
	for _, suite := range suites {
		for name, test := range tests {
			t.Run(suite.String()+"/"+name, func(t *testing.T) {
				m, _ := lied(t, suite)
				plain := m.openAll(t)
				test.change(plain)
				m.sealAll(t, plain)
				for i := range m.N {
					_, err := m.finalize(i)
					_, recoverErr := m.recover(i)
					if slices.Contains(test.victims, i) {
						wantBlameOf(t, err, falseDealer, CodeShare)
						if recoverErr == nil {
							t.Errorf("node %d recovered", i)
						}
					} else if err != nil || recoverErr != nil {
						t.Errorf("node %d can't know of it, but: %v, %v", i, err, recoverErr)
					}
				}
			})
		}
	}
}

// Two dealers who shift their constant terms by opposite amounts have done nothing: the
// sum is the key's, and new nodes look at sums. One who does it alone is named.
func TestReshareErrorsThatCancel(t *testing.T) {
	for _, suite := range suites {
		t.Run(suite.String(), func(t *testing.T) {
			if suite == Secp256k1TR {
				testErrorsThatCancel(t, secpGroup{}, suite)
			} else {
				testErrorsThatCancel(t, edwardsGroup{}, suite)
			}
		})
	}
}

func testErrorsThatCancel[S, P any](t *testing.T, g group[S, P], suite Suite) {
	m, _ := lied(t, suite)
	honest := slices.Clone(m.from.shares)
	shift := g.small(7)
	for _, dealer := range m.Dealers {
		by, lambda := new(S), g.interpolatingValue(m.Dealers, dealer)
		g.mul(by, shift, inverse(g, lambda))
		m.from.shares[dealer] = shifted(t, g, honest[dealer], by)
		shift = minus(g, shift)
	}
	for i := range m.deals {
		m.deals[i] = m.deal(t, i)
	}
	both := slices.Clone(m.deals)
	testReshare(t, m)

	for i, dealer := range m.Dealers {
		m.from.shares[dealer] = honest[dealer]
		m.deals[i] = m.deal(t, i)
		_, err := m.finalize(victim)
		wantBlameOf(t, err, m.Dealers[1-i], CodeShare)
		m.deals[i] = both[i]
	}
}

// shifted is the first share plus by, and the others.
func shifted[S, P any](t *testing.T, g group[S, P], shares *secret.Bytes, by *S) *secret.Bytes {
	t.Helper()
	b := slices.Clone(shares.Expose())
	var s S
	if err := g.decodeScalar(&s, b[:32]); err != nil {
		t.Fatal(err)
	}
	g.add(&s, &s, by)
	copy(b, g.appendScalar(nil, &s))
	return secret.New(b)
}

func minus[S, P any](g group[S, P], s *S) *S {
	out := new(S)
	g.mul(out, s, minusOne(g))
	return out
}

// inverse is s to the power of the order less two.
func inverse[S, P any](g group[S, P], s *S) *S {
	exponent := g.appendScalar(nil, minus(g, g.small(2))) // order - 2
	if _, ok := any(g).(edwardsGroup); ok {
		slices.Reverse(exponent)
	}
	out := g.small(1)
	for _, b := range exponent {
		for i := 7; i >= 0; i-- {
			g.mul(out, out, out)
			if b>>i&1 == 1 {
				g.mul(out, out, s)
			}
		}
	}
	return out
}

// Dealers who are all corrupt can make commitments cancel out. The identity has no
// encoding, and nobody alone is to blame.
func TestReshareIdentitySum(t *testing.T) {
	for _, suite := range suites {
		m := newMove(t, founded(t, suite, 2, 3, 2), []int{0, falseDealer}, 2, 3)
		if suite == Secp256k1TR {
			m.deals[1] = oppositeReshareDeal(t, secpGroup{}, m)
		} else {
			m.deals[1] = oppositeReshareDeal(t, edwardsGroup{}, m)
		}
		if _, err := m.finalize(0); !errors.Is(err, ErrIdentitySum) {
			t.Errorf("%v: finalize: %v, want ErrIdentitySum", suite, err)
		}
		if _, err := m.recover(0); !errors.Is(err, ErrIdentitySum) {
			t.Errorf("%v: recover: %v, want ErrIdentitySum", suite, err)
		}
		if _, err := SummarizeReshare(m.ReshareParams, m.from.public.PublicKeys, m.deals); !errors.Is(err, ErrIdentitySum) {
			t.Errorf("%v: summarize: %v, want ErrIdentitySum", suite, err)
		}
	}
}

// oppositeReshareDeal is the second dealer's, with its own constant terms and the
// negated coefficients of the first.
func oppositeReshareDeal[S, P any](t *testing.T, g group[S, P], m *move) *ReshareDeal {
	t.Helper()
	d, err := m.dealing()
	if err != nil {
		t.Fatal(err)
	}
	first := Hash("frostfleet/reshare/seed/v1", m.seeds[0][:], m.from.shares[m.Dealers[0]].Expose())
	coefficients := make([]S, m.K*m.T)
	randomScalars(g, coefficients, dealStream(d.Params, m.Dealers[0], &first, "coefficients"))
	for i := range coefficients {
		if coefficients[i] = *minus(g, &coefficients[i]); i%m.T > 0 {
			continue
		}
		share := m.from.shares[falseDealer].Expose()[i/m.T*ScalarSize:][:ScalarSize]
		if err := g.decodeScalar(&coefficients[i], share); err != nil {
			t.Fatal(err)
		}
		g.mul(&coefficients[i], &coefficients[i], g.interpolatingValue(m.Dealers, falseDealer))
	}
	deal, err := dealOut(g, d, falseDealer, m.boundSeed(), coefficients)
	if err != nil {
		t.Fatal(err)
	}
	return &ReshareDeal{Ephemeral: deal.Ephemeral, Commitments: deal.Commitments, Shares: deal.Shares}
}

// Points of mixed order gain nothing: the eight removes the torsion.
func TestReshareMixedOrderIsHarmless(t *testing.T) {
	m, d := lied(t, Ed25519)
	want := m.finish(t)
	plain := m.openAll(t)
	for point := range slices.Chunk(d.Commitments, edwards25519.PointSize) {
		addTorsion(point)
	}
	m.sealAll(t, plain)
	if got := m.finish(t); !bytes.Equal(got.public.Commitments, want.public.Commitments) {
		t.Error("torsion changes the commitments")
	}
}

// The false dealer knows all weights that would be drawn for its honest deal, and
// shifts two shares of its victim by them.
func TestReshareDealerWhoKnowsTheWeights(t *testing.T) {
	t.Run(Secp256k1TR.String(), func(t *testing.T) { testReshareWeights(t, secpGroup{}, Secp256k1TR) })
	t.Run(Ed25519.String(), func(t *testing.T) { testReshareWeights(t, edwardsGroup{}, Ed25519) })
}

func testReshareWeights[S, P any](t *testing.T, g group[S, P], suite Suite) {
	m, _ := lied(t, suite)
	d, err := m.dealing()
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := openReshare(g, d, victim, m.hosts[victim], m.from.public.PublicKeys, m.deals)
	if err != nil {
		t.Fatal(err)
	}
	w := r.weights(victim, m.hosts[victim], m.from.public.PublicKeys...)
	first, second := r.weight(w), r.weight(w)
	plain := m.openAll(t)
	shift := func(b []byte, by *S) { copy(b, shifted(t, g, secret.New(slices.Clone(b)), by).Expose()) }
	shift(plain[victim][:32], second)
	shift(plain[victim][32:64], minus(g, first))
	m.sealAll(t, plain)
	_, err = m.finalize(victim)
	wantBlameOf(t, err, falseDealer, CodeShare)
	if _, err = m.recover(victim); !errors.Is(err, ErrRecover) {
		t.Errorf("recover: %v", err)
	}
}
