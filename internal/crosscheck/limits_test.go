package crosscheck

import (
	"bytes"
	"context"
	"crypto/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/oracle"
)

// Sets, messages and paths at their limits, with torsion in every divided nonce but the own one: the two agree.
func TestAgreementAtLimits(t *testing.T) {
	t.Parallel()
	for _, tn := range [][2]int{{1, 1}, {1, 3}, {3, 3}, {3, 5}, {16, 24}, {24, 24}} {
		for _, form := range []frost.Form{0, frost.FormDivided} {
			checkAgreement(t, form, tn[0], tn[1])
		}
	}
}

func checkAgreement(t *testing.T, form frost.Form, threshold, n int) {
	t.Helper()
	var coefficients []*scalar.Scalar
	for range threshold {
		coefficients = append(coefficients, drawn(t))
	}
	keys := polynomial(coefficients, n)
	var offsets [][32]byte
	for range frost.MaxOffsets {
		offsets = append(offsets, edwards25519.EncodeScalar(drawn(t)))
	}
	items := make([][]frost.Item, n)
	for node := range n {
		items[node] = []frost.Item{
			{Key: keys[node], Message: []byte{0}},
			{Key: keys[node], Message: make([]byte, frost.MaxMessage), Offsets: offsets},
		}
	}
	var nonces []*frost.Nonces
	var set []frost.NonceCommitment
	for node := n - 1; node >= n-threshold; node-- {
		held, points, err := frost.Commit(rand.Reader, [32]byte{byte(node)}, form, items[node])
		if err != nil {
			t.Fatal(err)
		}
		nonces, set = append(nonces, held), append(set, frost.NonceCommitment{Index: node, Points: points})
	}
	var shares [][]byte
	for i, held := range nonces {
		seen := make([]frost.NonceCommitment, len(set))
		for j, c := range set {
			seen[j] = frost.NonceCommitment{Index: c.Index, Points: bytes.Clone(c.Points)}
			if form == frost.FormDivided && i != j {
				addTorsion(t, seen[j].Points, j)
			}
		}
		share, err := held.Sign(seen)
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, share)
		c := newChecker(new(bytes.Buffer))
		c.Shares(form, items[set[i].Index], seen, set[i].Index, share)
		c.now()
		c.want(t, map[Result]uint64{Agrees: 1})
	}
	for j := range set {
		if form == frost.FormDivided {
			addTorsion(t, set[j].Points, j+3)
		}
	}
	sigs, blame, err := frost.Aggregate(form, items[0], set, shares)
	if err != nil || blame != nil {
		t.Fatal(err, blame)
	}
	c := newChecker(new(bytes.Buffer))
	c.Signatures(form, items[0], set, shares, sigs)
	c.now()
	c.want(t, map[Result]uint64{Agrees: 1})
}

// addTorsion adds points of small order to points by both coordinates.
func addTorsion(t *testing.T, points []byte, which int) {
	t.Helper()
	for at := 0; at < len(points); at += edwards25519.CoordinatesSize {
		var a edwards25519.Affine
		if !a.SetCoordinates(points[at:][:edwards25519.CoordinatesSize]) {
			t.Fatal("no point")
		}
		b := a.Encode()
		p, err := edwards25519.DecodeAny(b[:])
		if err != nil {
			t.Fatal(err)
		}
		p.Add(p, curve.EIGHT_TORSION[(which+at)%8])
		b = edwards25519.Encode(p)
		if a, err = edwards25519.DecodeAffine(b[:]); err != nil {
			t.Fatal(err)
		}
		copy(points[at:], a.AppendCoordinates(nil))
	}
}

// A check that was held up for an hour, as a machine is that sleeps, does not end checks for a day.
func TestRestEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, checks := newChecker(new(bytes.Buffer)), 0
		offer := func() {
			c.offer(0, []frost.Item{{Key: &frost.Key{Suite: frost.Ed25519}}}, nil, func(int) (string, func(*oracle.Session) error) {
				return "nothing", func(*oracle.Session) error {
					checks++
					time.Sleep(time.Hour)
					return nil
				}
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Run(ctx) }()
		offer()
		time.Sleep(time.Minute)
		offer()
		time.Sleep(time.Hour + longestRest)
		cancel()
		<-done
		if checks != 2 {
			t.Errorf("%d checks", checks)
		}
	})
}
