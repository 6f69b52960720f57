package bip445

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// dealt is a key from a dealer: shares and compressed public shares by id.
type dealt struct {
	n, t      int
	key       []byte
	shares    [][]byte
	pubshares [][]byte
}

func deal(t testing.TB, n, threshold int) *dealt {
	t.Helper()
	coefficients := make([]*Scalar, threshold)
	for i := range coefficients {
		var b [32]byte
		rand.Read(b[:])
		coefficients[i] = wrap(&b)
	}
	d := &dealt{n: n, t: threshold, key: secp.NewIdentityPoint().ScalarBaseMult(coefficients[0]).CompressedBytes()}
	for id := range n {
		y := secp.NewScalar()
		for c := threshold - 1; c >= 0; c-- {
			y.Multiply(y, secp.NewScalarFromUint64(uint64(id+1)))
			y.Add(y, coefficients[c])
		}
		d.shares = append(d.shares, y.Bytes())
		d.pubshares = append(d.pubshares, secp.NewIdentityPoint().ScalarBaseMult(y).CompressedBytes())
	}
	return d
}

// begin runs round one for ids.
func (d *dealt) begin(
	t testing.TB, ids []int, tweaks [][]byte, xonly []bool, message []byte,
) ([]*SecNonce, [][]byte, *SessionContext) {
	t.Helper()
	var pubshares, pubnonces [][]byte
	var secs []*SecNonce
	for _, id := range ids {
		pubshares = append(pubshares, d.pubshares[id])
		sec, pub, err := NonceGen(rand.Reader,
			NonceInput{SecretShare: d.shares[id], Pubshare: d.pubshares[id], Message: message})
		if err != nil {
			t.Fatal(err)
		}
		secs, pubnonces = append(secs, sec), append(pubnonces, pub.Bytes())
	}
	signers, err := NewSignersContext(d.n, d.t, ids, pubshares, d.key)
	if err != nil {
		t.Fatal(err)
	}
	agg, err := NonceAgg(pubnonces)
	if err != nil {
		t.Fatal(err)
	}
	return secs, pubnonces, &SessionContext{agg, signers, tweaks, xonly, message}
}

// Random keys, signers, tweaks and messages give signatures that verify, and
// the specification's functions and the batch's types agree.
func TestSignAndAggregate(t *testing.T) {
	for round := range 24 {
		n := 1 + round%4
		threshold := 1 + round%n
		d := deal(t, n, threshold)
		ids := []int{0, 1, 2, 3}[:n]
		if round%3 == 0 {
			ids = ids[n-threshold:]
		}
		slices.Reverse(ids)
		var tweaks [][]byte
		var xonly []bool
		for i := range round % 4 {
			h := sha256.Sum256([]byte{byte(round), byte(i)})
			tweaks, xonly = append(tweaks, h[:]), append(xonly, (round>>i)&1 == 1)
		}
		message := bytes.Repeat([]byte{1}, round)
		secs, pubnonces, c := d.begin(t, ids, tweaks, xonly, message)
		var psigs [][]byte
		for i, id := range ids {
			p, err := Sign(secs[i], d.shares[id], id, c)
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := PartialSigVerify(p, pubnonces, c, i); !ok || err != nil {
				t.Fatalf("partial signature does not verify: %v", err)
			}
			psigs = append(psigs, p)
		}
		sig, err := PartialSigAgg(psigs, c)
		if err != nil {
			t.Fatal(err)
		}
		key, err := untweaked(c.Signers.key).applyAll(tweaks, xonly)
		if err != nil {
			t.Fatal(err)
		}
		x := key.XOnly()
		if !bip340.Verify(x[:], message, sig) {
			t.Fatalf("round %d: the signature does not verify", round)
		}
	}
}

func TestPartialSigAggErrors(t *testing.T) {
	d := deal(t, 3, 2)
	secs, _, c := d.begin(t, []int{0, 2}, nil, nil, []byte("m"))
	var psigs [][]byte
	for i, id := range []int{0, 2} {
		p, err := Sign(secs[i], d.shares[id], id, c)
		if err != nil {
			t.Fatal(err)
		}
		psigs = append(psigs, p)
	}
	_, err := PartialSigAgg(psigs[:1], c)
	if !errors.Is(err, BadPartialSigCount) {
		t.Errorf("one partial signature too few: %v", err)
	}
	psigs[1] = bytes.Repeat([]byte{255}, 32)
	_, err = PartialSigAgg(psigs, c)
	var blame *ContributionError
	if !errors.As(err, &blame) || *blame != (ContributionError{1, PartialSignature}) {
		t.Errorf("a partial signature over the order: %v", err)
	}
	for _, i := range []int{-1, 2} {
		_, err := PartialSigVerify(psigs[0], [][]byte{make([]byte, 66), make([]byte, 66)}, c, i)
		if !errors.Is(err, BadSignerIndex) {
			t.Errorf("signer index %d: %v", i, err)
		}
	}
}

func TestMaxParticipants(t *testing.T) {
	if _, err := NewSignerSet(MaxParticipants, 1, []int{127}); err != nil {
		t.Errorf("128 participants: %v", err)
	}
	if _, err := NewSignerSet(MaxParticipants+1, 1, []int{0}); !errors.Is(err, BadThreshold) {
		t.Errorf("129 participants: %v", err)
	}
}

func TestNonceGenRefusesLengths(t *testing.T) {
	for _, in := range []NonceInput{
		{SecretShare: make([]byte, 31)}, {SecretShare: []byte{}},
		{Pubshare: make([]byte, 32)}, {ThresholdKey: make([]byte, 33)},
	} {
		if _, _, err := NonceGen(rand.Reader, in); !errors.Is(err, BadInputLength) {
			t.Errorf("%+v: %v", in, err)
		}
	}
	if _, _, err := NonceGen(bytes.NewReader(make([]byte, 31)), NonceInput{}); err == nil {
		t.Error("31 bytes were enough randomness")
	}
}

func TestSecNonceGoesToOne(t *testing.T) {
	d := deal(t, 3, 2)
	secs, _, c := d.begin(t, []int{0, 1}, nil, nil, []byte("m"))
	var ok, used atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch _, err := Sign(secs[0], d.shares[0], 0, c); {
			case err == nil:
				ok.Add(1)
			case errors.Is(err, ErrNonceUsed):
				used.Add(1)
			}
		})
	}
	wg.Wait()
	if ok.Load() != 1 || used.Load() != 15 {
		t.Fatalf("%d signed and %d were refused, want 1 and 15", ok.Load(), used.Load())
	}
	secs[1].Wipe()
	if _, err := Sign(secs[1], d.shares[1], 1, c); !errors.Is(err, ErrNonceUsed) {
		t.Fatalf("after Wipe: %v", err)
	}
	if got := fmt.Sprintf("%v %+v %x", secs[0], secs[1], secs[1]); got != "[secret] [secret] [secret]" {
		t.Fatal(got)
	}
}

// Whatever comes of it, what was taken is wiped.
func TestNoncesAreWiped(t *testing.T) {
	d := deal(t, 3, 2)
	set, err := NewSignerSet(3, 2, []int{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewTweakContext(d.key)
	if err != nil {
		t.Fatal(err)
	}
	share, err := secretScalar((*[32]byte)(d.shares[0]), BadSecretShare)
	if err != nil {
		t.Fatal(err)
	}
	for name, use := range map[string]func(s *Session, n *SecNonce) error{
		"signed":  func(s *Session, n *SecNonce) error { _, err := s.Respond(n, share, 0); return err },
		"refused": func(s *Session, n *SecNonce) error { _, _ = s.Respond(n, share, 2); return nil },
		"share of zero": func(s *Session, n *SecNonce) error {
			if psig, err := s.Respond(n, new(Scalar), 0); psig != nil || !errors.Is(err, BadSecretShare) {
				return fmt.Errorf("got %v, %w", psig, err)
			}
			return nil
		},
		"wiped": func(_ *Session, n *SecNonce) error { n.Wipe(); return nil },
	} {
		sec, pub, err := NonceGen(rand.Reader, NonceInput{})
		if err != nil {
			t.Fatal(err)
		}
		pair := sec.pair.Load()
		if err := use(NewSession(set, key, Aggregate([]*PubNonce{pub}), []byte("m")), sec); err != nil {
			t.Fatal(err)
		}
		if sec.pair.Load() != nil || pair[0].IsZero() != 1 || pair[1].IsZero() != 1 {
			t.Errorf("%s: a secret nonce outlives its use", name)
		}
	}
}

// claims makes true claims of a few sessions.
func claims(t testing.TB, count int) []Claim {
	t.Helper()
	var out []Claim
	for range count {
		d := deal(t, 3, 2)
		set, err := NewSignerSet(3, 2, []int{2, 0})
		if err != nil {
			t.Fatal(err)
		}
		key, err := NewTweakContext(d.key)
		if err != nil {
			t.Fatal(err)
		}
		var secs []*SecNonce
		var pubs []*PubNonce
		for range 2 {
			sec, pub, err := NonceGen(rand.Reader, NonceInput{})
			if err != nil {
				t.Fatal(err)
			}
			secs, pubs = append(secs, sec), append(pubs, pub)
		}
		s := NewSession(set, key, Aggregate(pubs), []byte("m"))
		for i, id := range []int{2, 0} {
			share, err := secretScalar((*[32]byte)(d.shares[id]), BadSecretShare)
			if err != nil {
				t.Fatal(err)
			}
			psig, err := s.Respond(secs[i], share, id)
			if err != nil {
				t.Fatal(err)
			}
			p, _ := parsePoint(d.pubshares[id])
			pubshare, _ := NewPubshare(p)
			out = append(out, Claim{s, id, psig, pubs[i], pubshare})
		}
	}
	return out
}

func TestVerifyBatch(t *testing.T) {
	if !VerifyBatch(nil) {
		t.Fatal("no claims do not hold")
	}
	all := claims(t, 4)
	for n := 1; n <= len(all); n++ {
		if !VerifyBatch(all[:n]) {
			t.Fatalf("%d true claims do not hold", n)
		}
	}
	one := secp.NewScalar().One()
	for name, f := range map[string]func(c []Claim){
		"sig":       func(c []Claim) { c[3].Sig = secp.NewScalar().Add(c[3].Sig, one) },
		"negated":   func(c []Claim) { c[3].Sig = secp.NewScalar().Negate(c[3].Sig) },
		"first":     func(c []Claim) { c[0].Sig = secp.NewScalar().Add(c[0].Sig, one) },
		"swapped":   func(c []Claim) { c[2].Sig, c[3].Sig = c[3].Sig, c[2].Sig },
		"id":        func(c []Claim) { c[3].ID = 2 },
		"no signer": func(c []Claim) { c[3].ID = 1 },
		"nonce":     func(c []Claim) { c[3].Nonce = c[2].Nonce },
		"pubshare":  func(c []Claim) { c[3].Pubshare = c[2].Pubshare },
		"session":   func(c []Claim) { c[3].Session = c[5].Session },
		"cancels out": func(c []Claim) {
			c[3].Sig, c[4].Sig = secp.NewScalar().Add(c[3].Sig, one), secp.NewScalar().Subtract(c[4].Sig, one)
		},
	} {
		bad := slices.Clone(all)
		f(bad)
		if VerifyBatch(bad) {
			t.Errorf("a false claim holds: %s", name)
		}
		for i, c := range bad {
			want := c.ID == all[i].ID && c.Session == all[i].Session && c.Nonce == all[i].Nonce &&
				c.Pubshare == all[i].Pubshare && c.Sig.Equal(all[i].Sig) == 1
			if c.Session.Verify(c.Sig, c.Nonce, c.Pubshare, c.ID) != want {
				t.Errorf("%s: claim %d alone: want %v", name, i, want)
			}
		}
	}
}

func FuzzParsePubNonce(f *testing.F) {
	_, pub, err := NonceGen(rand.Reader, NonceInput{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pub.Bytes())
	f.Add(pub.AppendWire(nil))
	f.Add(make([]byte, PubNonceSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, ok := ParsePubNonce(b); ok && !bytes.Equal(n.Bytes(), b) {
			t.Fatal("decoding and encoding give other bytes")
		}
		if n, ok := PubNonceFromWire(b); ok {
			if !bytes.Equal(n.AppendWire(nil), b) {
				t.Fatal("decoding and encoding give other wire bytes")
			}
			if m, ok := ParsePubNonce(n.Bytes()); !ok || m.r != n.r {
				t.Fatal("the two encodings mean different nonces")
			}
		}
		if a, ok := ParseAggNonce(b); ok {
			var again []byte
			for _, p := range a.r {
				if p.IsIdentity() {
					again = append(again, make([]byte, PointSize)...)
				} else {
					again = p.AppendCompressed(again)
				}
			}
			if !bytes.Equal(again, b) {
				t.Fatal("decoding and encoding an aggregate give other bytes")
			}
		}
	})
}

func BenchmarkNonceGen(b *testing.B) {
	for b.Loop() {
		_, _, _ = NonceGen(rand.Reader, NonceInput{})
	}
}

func BenchmarkNewSession(b *testing.B) {
	c := claims(b, 1)[0]
	agg := Aggregate([]*PubNonce{c.Nonce, c.Nonce})
	for b.Loop() {
		NewSession(c.Session.set, c.Session.tweak, agg, []byte("m"))
	}
}

func BenchmarkVerify(b *testing.B) {
	c := claims(b, 1)[0]
	for b.Loop() {
		c.Session.Verify(c.Sig, c.Nonce, c.Pubshare, c.ID)
	}
}

func FuzzParseScalar(f *testing.F) {
	f.Add(new(Scalar).Negate(new(Scalar).One()).Bytes())
	f.Add(bytes.Repeat([]byte{0xff}, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := ParseScalar(b); ok && !bytes.Equal(s.Bytes(), b) {
			t.Fatal("another encoding of the same scalar was accepted")
		}
	})
}
