package crosscheck

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/oracle"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// polynomial deals a key of these coefficients, the first of which is the key, to n nodes.
func polynomial(coefficients []*scalar.Scalar, n int) []*frost.Key {
	var commitments []byte
	for _, a := range coefficients {
		p := edwards25519.Encode(edwards25519.BaseMult(a))
		commitments = append(commitments, p[:]...)
	}
	keys := make([]*frost.Key, n)
	for i := range keys {
		y, x := scalar.New(), scalar.NewFromUint64(uint64(i+1))
		for _, a := range slices.Backward(coefficients) {
			y.Add(y.Mul(y, x), a)
		}
		b := edwards25519.EncodeScalar(y)
		keys[i] = &frost.Key{
			Suite: frost.Ed25519, N: n, T: len(coefficients), Index: i, PublicKey: commitments[:32],
			VSSCommitment: commitments, Share: secret.New(b[:]),
		}
	}
	return keys
}

func drawn(t testing.TB) *scalar.Scalar {
	s, err := scalar.New().SetRandom(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// session is one of nodes 2 and 0 of three, who sign two items, the second for a child.
type session struct {
	form   frost.Form
	items  map[int][]frost.Item
	set    []frost.NonceCommitment
	shares [][]byte
	sigs   []frost.Signature
}

func sessionOver(t testing.TB, form frost.Form, keys []*frost.Key) *session {
	t.Helper()
	s := &session{form: form, items: map[int][]frost.Item{}}
	var nonces []*frost.Nonces
	offset := edwards25519.EncodeScalar(drawn(t))
	for _, node := range []int{2, 0} {
		s.items[node] = []frost.Item{
			{Key: keys[node], Message: []byte("one")},
			{Key: keys[node], Message: []byte("two"), Offsets: [][32]byte{offset, offset}},
		}
		n, points, err := frost.Commit(rand.Reader, [32]byte{1}, form, s.items[node])
		if err != nil {
			t.Fatal(err)
		}
		nonces, s.set = append(nonces, n), append(s.set, frost.NonceCommitment{Index: node, Points: points})
	}
	for _, n := range nonces {
		share, err := n.Sign(s.set)
		if err != nil {
			t.Fatal(err)
		}
		s.shares = append(s.shares, share)
	}
	var blame []frost.Blame
	var err error
	if s.sigs, blame, err = frost.Aggregate(form, s.items[0], s.set, s.shares); err != nil || blame != nil {
		t.Fatal(err, blame)
	}
	return s
}

func newSession(t testing.TB, form frost.Form) *session {
	return sessionOver(t, form, polynomial([]*scalar.Scalar{drawn(t), drawn(t)}, 3))
}

// newChecker picks every session, and checks at once.
func newChecker(log *bytes.Buffer) *Checker {
	c := New(slog.New(slog.NewTextHandler(log, nil)))
	c.pick = func() bool { return true }
	return c
}

// now checks what waits.
func (c *Checker) now() {
	select {
	case claims := <-c.queue:
		c.check(claims)
	default:
	}
}

func (c *Checker) want(t testing.TB, want map[Result]uint64) {
	t.Helper()
	for r, n := range c.Counts() {
		if n != want[r] {
			t.Errorf("%s: %d, want %d", r, n, want[r])
		}
	}
}

// What both roles make is what the other implementation makes, in all forms.
func TestAgreement(t *testing.T) {
	t.Parallel()
	for _, form := range []frost.Form{0, frost.FormDivided} {
		s, c := newSession(t, form), newChecker(new(bytes.Buffer))
		c.Shares(form, s.items[2], s.set, 2, s.shares[0])
		c.now()
		c.Shares(form, s.items[0], s.set, 0, s.shares[1])
		c.now()
		c.Signatures(form, s.items[0], s.set, s.shares, s.sigs)
		c.now()
		c.want(t, map[Result]uint64{Agrees: 3})
		if err := c.Stopped(); err != nil {
			t.Error(err)
		}
	}
}

// An engine that makes something else is stopped, in either role, and for good.
func TestWrongOutputStops(t *testing.T) {
	t.Parallel()
	for name, offer := range map[string]func(c *Checker, s *session){
		"a share": func(c *Checker, s *session) {
			s.shares[0][frost.ScalarSize] ^= 1
			c.Shares(s.form, s.items[2], s.set, 2, s.shares[0])
		},
		"shares of another's": func(c *Checker, s *session) { c.Shares(s.form, s.items[2], s.set, 2, s.shares[1]) },
		"shares of another message": func(c *Checker, s *session) {
			s.items[2][0].Message = []byte("other")
			c.Shares(s.form, s.items[2], s.set, 2, s.shares[0])
		},
		"a signature": func(c *Checker, s *session) {
			s.sigs[1].Bytes[40] ^= 1
			c.Signatures(s.form, s.items[0], s.set, s.shares, s.sigs)
		},
		"the R of a signature": func(c *Checker, s *session) {
			s.sigs[0].Bytes[3] ^= 1
			c.Signatures(s.form, s.items[0], s.set, s.shares, s.sigs)
		},
	} {
		for _, form := range []frost.Form{0, frost.FormDivided} {
			var log bytes.Buffer
			s, c := newSession(t, form), newChecker(&log)
			offer(c, s)
			c.now()
			c.want(t, map[Result]uint64{Disagrees: 1})
			if err := c.Stopped(); !errors.Is(err, ErrDisagrees) || !errors.Is(err, oracle.ErrDisagrees) {
				t.Errorf("%s, form %d: %v", name, form, err)
			}
			if !strings.Contains(log.String(), "ED25519 IS STOPPED") {
				t.Errorf("%s: the log says %s", name, log.String())
			}
			good := newSession(t, form)
			c.Shares(form, good.items[2], good.set, 2, good.shares[0])
			if c.now(); c.Stopped() == nil {
				t.Errorf("%s: a session that agrees lifts it", name)
			}
		}
	}
}

// Shares and secrets stay where they are: what is kept is public, and a copy.
func TestKeepsCopiesOfPublicData(t *testing.T) {
	t.Parallel()
	s, c := newSession(t, frost.FormDivided), newChecker(new(bytes.Buffer))
	c.Shares(s.form, s.items[2], s.set, 2, s.shares[0])
	clear(s.shares[0])
	clear(s.set[0].Points)
	clear(s.items[2][0].Message)
	clear(s.items[2][0].Key.VSSCommitment)
	s.items[2][0].Key.Share.Wipe()
	c.now()
	c.want(t, map[Result]uint64{Agrees: 1})
}

// What others do stops nothing: false shares that add up to a true signature, deals that make a
// share 1 or what the library has of another, inputs that are no points.
func TestOthersStopNothing(t *testing.T) {
	t.Parallel()
	one, c := scalar.NewFromUint64(1), newChecker(new(bytes.Buffer))
	s := newSession(t, frost.FormDivided)
	for j, add := range []bool{true, false} {
		z, err := edwards25519.DecodeScalar(s.shares[j][:32])
		if err != nil {
			t.Fatal(err)
		}
		if add {
			z.Add(z, one)
		} else {
			z.Sub(z, one)
		}
		b := edwards25519.EncodeScalar(z)
		copy(s.shares[j], b[:])
	}
	sigs, blame, err := frost.Aggregate(s.form, s.items[0], s.set, s.shares)
	if err != nil || blame != nil || sigs[0].Bytes == nil {
		t.Fatal("two lies that cancel out are no signature")
	}
	c.Signatures(s.form, s.items[0], s.set, s.shares, sigs)
	c.now()
	c.want(t, map[Result]uint64{Agrees: 1})
	for _, share := range []uint64{1, 2} { // node 2's, which the library refuses: 2 stands in for node 0's there
		a := drawn(t)
		slope := scalar.New().Sub(scalar.NewFromUint64(share), a)
		coefficients := []*scalar.Scalar{a, slope.Mul(slope, scalar.New().Invert(scalar.NewFromUint64(3)))}
		s, c := sessionOver(t, frost.FormDivided, polynomial(coefficients, 3)), newChecker(new(bytes.Buffer))
		c.Shares(s.form, s.items[2], s.set, 2, s.shares[0])
		c.now()
		c.Shares(s.form, s.items[0], s.set, 0, s.shares[1])
		c.now()
		c.Signatures(s.form, s.items[0], s.set, s.shares, s.sigs)
		c.now()
		if err := c.Stopped(); err != nil {
			t.Errorf("share %d: %v", share, err)
		}
		c.want(t, map[Result]uint64{Agrees: 2, NotComparable: 1})
	}
	s = newSession(t, frost.FormDivided)
	clear(s.set[1].Points)
	c.Shares(s.form, s.items[2], s.set, 2, s.shares[0])
	if c.now(); c.Stopped() != nil || c.Counts()[NotComparable] != 1 {
		t.Errorf("nonces that are no points: %v, %v", c.Counts(), c.Stopped())
	}
}

// One in a hundred is picked, of ed25519 alone.
func TestSample(t *testing.T) {
	t.Parallel()
	c := New(slog.New(slog.DiscardHandler))
	picked := 0
	for range 20000 {
		if c.pick() {
			picked++
		}
	}
	if picked < 100 || picked > 320 { // 200, and nine standard deviations
		t.Errorf("%d of 20,000 sessions were picked", picked)
	}
	c.pick = func() bool { t.Error("a session of secp256k1-tr was considered"); return true }
	c.Shares(0, []frost.Item{{Key: &frost.Key{Suite: frost.Secp256k1TR}}}, nil, 0, nil)
	c.Shares(0, nil, nil, 0, nil)
}

// It works for a thirtieth of the time at most, and what comes meanwhile is dropped, but for one.
func TestDutyCycle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newChecker(new(bytes.Buffer))
		var begun []time.Time
		const took = 10 * time.Millisecond
		offer := func() {
			c.offer(0, []frost.Item{{Key: &frost.Key{Suite: frost.Ed25519}}}, nil, func(int) (string, func(*oracle.Session) error) {
				return "nothing", func(*oracle.Session) error {
					begun = append(begun, time.Now())
					time.Sleep(took)
					return nil
				}
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Run(ctx) }()
		for range 1000 {
			offer()
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-done
		for i := 1; i < len(begun); i++ {
			if rested := begun[i].Sub(begun[i-1]) - took; rested < rest*took {
				t.Errorf("check %d came after a rest of %v", i, rested)
			}
		}
		if n := c.Counts(); len(begun) != 3 || n[Dropped] != 1000-3-1 {
			t.Errorf("%d checks; %v", len(begun), n)
		}
	})
}
