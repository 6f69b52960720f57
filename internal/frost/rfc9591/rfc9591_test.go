package rfc9591

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

func mustScalar(t testing.TB, b []byte) *Scalar {
	t.Helper()
	s, err := edwards25519.DecodeScalar(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// deal makes a key and the secret shares of its n signers.
func deal(t testing.TB, n, threshold int) (*Key, map[uint16][]byte) {
	t.Helper()
	coefficients := make([]*Scalar, threshold)
	var commitments []byte
	for i := range coefficients {
		s, err := scalar.New().SetRandom(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		coefficients[i] = s
		p := edwards25519.Encode(edwards25519.BaseMult(s))
		commitments = append(commitments, p[:]...)
	}
	shares := map[uint16][]byte{}
	for id := range n {
		y := scalar.New()
		for c := threshold - 1; c >= 0; c-- {
			y.Mul(y, scalarOf(uint16(id+1)))
			y.Add(y, coefficients[c])
		}
		b := edwards25519.EncodeScalar(y)
		shares[uint16(id+1)] = b[:]
	}
	key, err := NewKey(n, threshold, commitments[:32], commitments)
	if err != nil {
		t.Fatal(err)
	}
	return key, shares
}

// begin runs round one for the signers 1..t.
func begin(t testing.TB, key *Key, shares map[uint16][]byte, message []byte) (*Session, []*SecNonce) {
	t.Helper()
	var ids []uint16
	var secs []*SecNonce
	var pubs []*PubNonce
	for id := uint16(1); id <= key.t; id++ {
		sec, pub, err := generate(rand.Reader, shares[id])
		if err != nil {
			t.Fatal(err)
		}
		ids, secs, pubs = append(ids, id), append(secs, sec), append(pubs, pub)
	}
	set, err := NewSignerSet(int(key.n), int(key.t), ids)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSession(key, set, pubs, message)
	if err != nil {
		t.Fatal(err)
	}
	return s, secs
}

// Eight goroutines sign and aggregate at once: nothing is shared.
func TestConcurrentSigning(t *testing.T) {
	key, shares := deal(t, 3, 2)
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				message := fmt.Appendf(nil, "message %d of %d", i, g)
				session, nonces := begin(t, key, shares, message)
				var answers [][]byte
				for j, n := range nonces {
					id := uint16(j + 1)
					a, err := session.Sign(n, shares[id], id)
					if err != nil {
						t.Error(err)
						return
					}
					answers = append(answers, a)
				}
				sig, err := session.Aggregate(answers)
				if err != nil || !ed25519.Verify(key.public[:], message, sig) {
					t.Errorf("signature does not verify: %v", err)
				}
				mu.Lock()
				for _, p := range session.nonces {
					for half := range slices.Chunk(p.Bytes(), 32) {
						if seen[string(half)] {
							t.Error("a nonce came up twice")
						}
						seen[string(half)] = true
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestNonceSignsOnce(t *testing.T) {
	key, shares := deal(t, 3, 2)
	session, nonces := begin(t, key, shares, []byte("m"))
	if _, err := session.Sign(nonces[0], shares[1], 1); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		share []byte
		id    uint16
		want  error
	}{
		"not in the set": {shares[3], 3, ErrNotASigner},
		"another's id":   {shares[2], 2, nil},
		"no share":       {nil, 1, ErrShare},
		"share of zero":  {make([]byte, 32), 1, ErrShare},
		"share too big":  {bytes.Repeat([]byte{255}, 32), 1, ErrShare},
	} {
		t.Run(name, func(t *testing.T) {
			session, nonces := begin(t, key, shares, []byte("m"))
			a, err := session.Sign(nonces[0], c.share, c.id)
			if err == nil || a != nil || (c.want != nil && !errors.Is(err, c.want)) {
				t.Fatalf("got %x, %v", a, err)
			}
			if _, err := session.Sign(nonces[0], shares[1], 1); !errors.Is(err, ErrNonceUsed) {
				t.Fatalf("after a failure the nonce gives %v", err)
			}
		})
	}
	if _, err := session.Sign(nonces[0], shares[1], 1); !errors.Is(err, ErrNonceUsed) {
		t.Fatalf("a second answer: %v", err)
	}
	nonces[1].Wipe()
	if _, err := session.Sign(nonces[1], shares[2], 2); !errors.Is(err, ErrNonceUsed) {
		t.Fatalf("after Wipe: %v", err)
	}
}

// Whatever comes of it, what was taken is wiped.
func TestNoncesAreWiped(t *testing.T) {
	key, shares := deal(t, 3, 2)
	for name, use := range map[string]func(s *Session, n *SecNonce) error{
		"signed":          func(s *Session, n *SecNonce) error { _, err := s.Sign(n, shares[1], 1); return err },
		"not in the set":  func(s *Session, n *SecNonce) error { return refused(s.Sign(n, shares[3], 3)) },
		"another's nonce": func(s *Session, n *SecNonce) error { return refused(s.Sign(n, shares[2], 2)) },
		"no share":        func(s *Session, n *SecNonce) error { return refused(s.Sign(n, nil, 1)) },
		"share of zero":   func(s *Session, n *SecNonce) error { return refused(s.Sign(n, make([]byte, 32), 1)) },
		"wiped":           func(_ *Session, n *SecNonce) error { n.Wipe(); return nil },
	} {
		session, nonces := begin(t, key, shares, []byte("m"))
		pair := nonces[0].pair.Load()
		if err := use(session, nonces[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		zero := scalar.New()
		if nonces[0].pair.Load() != nil || pair.secrets[0].Equal(zero) != 1 || pair.secrets[1].Equal(zero) != 1 {
			t.Errorf("%s: a secret nonce outlives its use", name)
		}
	}
}

func refused(share []byte, err error) error {
	if err == nil || share != nil {
		return fmt.Errorf("got %x", share)
	}
	return nil
}

func TestPubNonceRefusesBadPoints(t *testing.T) {
	good := edwards25519.Encode(edwards25519.BaseMult(scalarOf(12345)))
	torsion := curve.EIGHT_TORSION
	mixed := edwards25519.Encode(curve.NewEdwardsPoint().Add(edwards25519.BaseMult(scalarOf(7)), torsion[1]))
	bad := map[string][]byte{
		"identity":      append([]byte{1}, make([]byte, 31)...),
		"mixed order":   mixed[:],
		"not a point":   append([]byte{2}, make([]byte, 31)...),
		"not canonical": append([]byte{0xee}, append(bytes.Repeat([]byte{0xff}, 30), 0x7f)...),
		"base point":    slices.Clone(curve.ED25519_BASEPOINT_COMPRESSED[:]),
		"short":         good[:31],
	}
	for i, p := range torsion {
		b := edwards25519.Encode(p)
		bad[fmt.Sprintf("small order %d", i)] = bytes.Clone(b[:])
	}
	if _, ok := parse(Encoded, append(bytes.Clone(good[:]), good[:]...)); !ok {
		t.Fatal("a good nonce is refused")
	}
	for name, b := range bad {
		for _, pair := range [][]byte{slices.Concat(b, good[:]), slices.Concat(good[:], b)} {
			if _, ok := parse(Encoded, pair); ok {
				t.Errorf("%s is taken for a point of prime order", name)
			}
		}
	}
}

// Signing with a share that is not the signer's is for VerifyBatch to find.
func TestAnotherShareDoesNotVerify(t *testing.T) {
	key, shares := deal(t, 3, 2)
	session, nonces := begin(t, key, shares, []byte("m"))
	a, err := session.Sign(nonces[0], shares[2], 1)
	if err != nil || VerifyBatch([]Claim{{session, 1, a}}) {
		t.Fatalf("a signature share of another's secret share verifies, or %v", err)
	}
}

// The library verifies the signature shares that are made here, and no others: its
// hashes and its group are not ours.
func TestVerifyAgreesWithLibrary(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {3, 1}, {3, 2}, {5, 3}} {
		key, shares := deal(t, size[0], size[1])
		session, nonces := begin(t, key, shares, []byte("message"))
		for i, n := range nonces {
			id := uint16(i + 1)
			good, err := session.Sign(n, shares[id], id)
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range []int{-1, 0, 17, 31} {
				share := bytes.Clone(good)
				if at >= 0 {
					share[at] ^= 1
				}
				want := library(session).VerifyShare(id, share)
				if got := VerifyBatch([]Claim{{session, id, share}}); got != (want == nil) || got != (at < 0) {
					t.Fatalf("share with byte %d changed: we say %v, the library %v", at, got, want)
				}
			}
		}
	}
}

func TestVerifyBatch(t *testing.T) {
	var claims []Claim
	for i := range 5 {
		key, shares := deal(t, 3, 2)
		session, nonces := begin(t, key, shares, []byte{byte(i)})
		for j, n := range nonces {
			id := uint16(j + 1)
			a, err := session.Sign(n, shares[id], id)
			if err != nil {
				t.Fatal(err)
			}
			claims = append(claims, Claim{session, id, a})
		}
	}
	if !VerifyBatch(claims) || !VerifyBatch(nil) {
		t.Fatal("true claims do not hold")
	}
	for name, f := range map[string]func(c []Claim){
		"share":       func(c []Claim) { c[3].Share = bytes.Clone(c[3].Share); c[3].Share[0] ^= 1 },
		"swapped":     func(c []Claim) { c[2].Share, c[3].Share = c[3].Share, c[2].Share },
		"id":          func(c []Claim) { c[3].ID = 1 },
		"no signer":   func(c []Claim) { c[3].ID = 3 },
		"session":     func(c []Claim) { c[3].Session = c[5].Session },
		"cancels out": func(c []Claim) { shift(t, &c[3], 1); shift(t, &c[4], -1) },
		"short":       func(c []Claim) { c[3].Share = c[3].Share[1:] },
	} {
		bad := slices.Clone(claims)
		f(bad)
		if VerifyBatch(bad) {
			t.Errorf("a false claim holds: %s", name)
		}
	}
}

// shift adds by to a share.
func shift(t *testing.T, c *Claim, by int) {
	s := mustScalar(t, c.Share)
	if by > 0 {
		s.Add(s, scalarOf(1))
	} else {
		s.Sub(s, scalarOf(1))
	}
	b := edwards25519.EncodeScalar(s)
	c.Share = b[:]
}

func TestRefusals(t *testing.T) {
	key, shares := deal(t, 3, 2)
	for _, ids := range [][]uint16{nil, {1}, {1, 2, 3}, {0, 1}, {2, 1}, {1, 1}, {1, 4}} {
		if _, err := NewSignerSet(3, 2, ids); err == nil {
			t.Errorf("set %v is taken", ids)
		}
	}
	if _, err := NewKey(3, 2, key.public[:], key.encoded[:32]); err == nil {
		t.Error("a key with a commitment too few is taken")
	}
	if _, err := NewKey(3, 2, key.encoded[32:], key.encoded); err == nil {
		t.Error("a key with another public key is taken")
	}
	if _, err := NewKey(3, 4, key.public[:], key.encoded); err == nil {
		t.Error("a threshold above the number of signers is taken")
	}
	if _, err := NewKey(maxSigners+1, 2, key.public[:], key.encoded); err == nil {
		t.Error("a key of more signers than an identifier's byte has room for is taken")
	}
	session, _ := begin(t, key, shares, nil)
	for name, nonces := range map[string][]*PubNonce{"no nonces": nil, "one nonce": session.nonces[:1],
		"three nonces": slices.Concat(session.nonces, session.nonces[:1])} {
		if _, err := newSession(key, session.set, nonces, nil); err == nil {
			t.Errorf("%s for two signers are taken", name)
		}
	}
	for name, ids := range map[string][]uint16{"more signers": {1, 2, 3}, "fewer signers": {1}, "a foreign signer": {1, 4}} {
		set, err := NewSignerSet(5, len(ids), ids) // of another key
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newSession(key, set, slices.Repeat(session.nonces[:1], len(ids)), nil); err == nil {
			t.Errorf("a set with %s is taken", name)
		}
	}
}

// The last of as many signers as there can be signs, and with the library.
func TestLastSigner(t *testing.T) {
	key, shares := deal(t, maxSigners, 1)
	set, err := NewSignerSet(maxSigners, 1, []uint16{maxSigners})
	if err != nil {
		t.Fatal(err)
	}
	sec, pub, err := generate(rand.Reader, shares[maxSigners])
	if err != nil {
		t.Fatal(err)
	}
	session, err := newSession(key, set, []*PubNonce{pub}, []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	share, err := session.Sign(sec, shares[maxSigners], maxSigners)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := session.Aggregate([][]byte{share})
	if err != nil || !ed25519.Verify(key.public[:], []byte("m"), sig) {
		t.Fatalf("the signature does not verify: %v", err)
	}
	if err := library(session).VerifySum([][]byte{share}, sig); err != nil {
		t.Fatal(err)
	}
}

func TestSecNoncePrintsRedacted(t *testing.T) {
	_, shares := deal(t, 1, 1)
	sec, _, err := generate(rand.Reader, shares[1])
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%v %+v %x", sec, sec, sec); got != "[secret] [secret] [secret]" {
		t.Fatal(got)
	}
}

func BenchmarkSignature(b *testing.B) {
	key, shares := deal(b, 3, 2)
	session, nonces := begin(b, key, shares, []byte("m"))
	var answers [][]byte
	for i, n := range nonces {
		a, err := session.Sign(n, shares[uint16(i+1)], uint16(i+1))
		if err != nil {
			b.Fatal(err)
		}
		answers = append(answers, a)
	}
	b.Run("Nonces", func(b *testing.B) {
		for b.Loop() {
			_, _, _ = generate(rand.Reader, shares[1])
		}
	})
	b.Run("Sign", func(b *testing.B) {
		for b.Loop() {
			sec, pub, _ := generate(rand.Reader, shares[1])
			session, err := newSession(key, session.set, []*PubNonce{pub, session.nonces[1]}, session.message)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := session.Sign(sec, shares[1], 1); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("VerifyBatch", func(b *testing.B) {
		claims := []Claim{{session, 2, answers[1]}}
		for b.Loop() {
			VerifyBatch(claims)
		}
	})
	b.Run("Aggregate", func(b *testing.B) {
		for b.Loop() {
			if _, err := session.Aggregate(answers); err != nil {
				b.Fatal(err)
			}
		}
	})
}
