package rfc9591

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

// published is a nonce as it goes over the wire.
func published(t testing.TB, form Form) []byte {
	t.Helper()
	share := encoded(scalarOf(77))
	nonces := make([]SecNonce, 1)
	if err := nonces[0].Draw(rand.Reader, share); err != nil {
		t.Fatal(err)
	}
	wire, err := Publish(form, nonces)
	if err != nil || len(wire) != form.NonceSize() {
		t.Fatalf("%x, %v", wire, err)
	}
	return wire
}

// coordinates of any point of the curve, as in form Divided.
func coordinates(t testing.TB, p *Point) []byte {
	t.Helper()
	b := edwards25519.Encode(p)
	a, err := edwards25519.DecodeAffine(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return a.AppendCoordinates(nil)
}

// What is hashed is the same in both forms: RFC 9591's encoding of the nonce, not divided.
func TestFormsHashTheSame(t *testing.T) {
	share := encoded(scalarOf(77))
	random := make([]byte, 64)
	rand.Read(random)
	var parsed []*PubNonce
	for _, form := range []Form{Encoded, Divided} {
		nonces := make([]SecNonce, 1)
		if err := nonces[0].Draw(bytes.NewReader(random), share); err != nil {
			t.Fatal(err)
		}
		wire, err := Publish(form, nonces)
		if err != nil {
			t.Fatal(err)
		}
		n, ok := parse(form, wire)
		if !ok || form == Encoded && !bytes.Equal(n.Bytes(), wire) {
			t.Fatalf("form %d: %v, %x", form, ok, n.Bytes())
		}
		pair := nonces[0].pair.Load()
		for i := range pair.secrets {
			want := edwards25519.Encode(edwards25519.BaseMult(&pair.secrets[i]))
			if !bytes.Equal(n.Bytes()[32*i:][:32], want[:]) || pair.pub != n.bytes {
				t.Errorf("form %d: nonce %d is %x, want %x", form, i, n.Bytes(), want)
			}
		}
		parsed = append(parsed, n)
	}
	if !bytes.Equal(parsed[0].Bytes(), parsed[1].Bytes()) {
		t.Error("two forms of one nonce are two nonces")
	}
}

// Whoever adds a point of small order to a divided nonce has said nothing else than before:
// nothing outside the prime-order group can be written in that form.
func TestDividedNoncesHaveNoTorsion(t *testing.T) {
	wire := published(t, Divided)
	good, ok := parse(Divided, wire)
	if !ok {
		t.Fatal("a good nonce is refused")
	}
	for half := range 2 {
		var point edwards25519.Affine
		if !point.SetCoordinates(wire[64*half:][:64]) {
			t.Fatal("no coordinates")
		}
		b := point.Encode()
		for i, torsion := range curve.EIGHT_TORSION {
			p := curve.NewEdwardsPoint().Add(pointOf(b[:]), torsion)
			forged := slices.Concat(wire[:64*half], coordinates(t, p), wire[64*half+64:])
			n, ok := parse(Divided, forged)
			if !ok || n.bytes != good.bytes {
				t.Errorf("torsion %d: %v, %x, want %x", i, ok, n.Bytes(), good.Bytes())
			}
		}
	}
}

func TestDividedNoncesRefuse(t *testing.T) {
	good := published(t, Divided)
	eighth := scalar.New().Invert(scalarOf(8))
	bad := map[string][]byte{
		"base point after multiplying": coordinates(t, edwards25519.BaseMult(eighth)),
		"off the curve":                append(make([]byte, 63), 2),
		"zeros":                        make([]byte, 64),
		"ones":                         bytes.Repeat([]byte{255}, 64),
	}
	for i, p := range curve.EIGHT_TORSION {
		bad["identity after multiplying, of "+string(rune('0'+i))] = coordinates(t, p)
		bad["base point and torsion "+string(rune('0'+i))] =
			coordinates(t, curve.NewEdwardsPoint().Add(edwards25519.BaseMult(eighth), p))
	}
	for name, b := range bad {
		for _, pair := range [][]byte{slices.Concat(b, good[64:]), slices.Concat(good[:64], b)} {
			if _, ok := parse(Divided, pair); ok {
				t.Errorf("%s is taken for a nonce", name)
			}
		}
	}
}

// The first that is refused is named, whatever it is refused for.
func TestParseNoncesNamesTheFirst(t *testing.T) {
	for _, form := range []Form{Encoded, Divided} {
		size := form.NonceSize()
		var good []byte
		for range 4 {
			good = append(good, published(t, form)...)
		}
		off := append(make([]byte, size/2-1), 2)
		base := curve.ED25519_BASEPOINT_COMPRESSED[:]
		if form == Divided {
			base = coordinates(t, edwards25519.BaseMult(scalar.New().Invert(scalarOf(8))))
		}
		for _, c := range []struct{ off, base, want int }{{-1, -1, -1}, {2, -1, 2}, {-1, 1, 1}, {1, 3, 1}, {3, 1, 1}, {0, 0, 0}} {
			wire := bytes.Clone(good)
			if c.off >= 0 {
				copy(wire[c.off*size:], off)
			}
			if c.base >= 0 {
				copy(wire[c.base*size+size/2:], base)
			}
			if got := CheckNonces(form, 4, wire); got != c.want {
				t.Errorf("form %d, %+v: %d is named", form, c, got)
			}
		}
	}
}

func FuzzParseNonces(f *testing.F) {
	for _, form := range []Form{Encoded, Divided} {
		wire := published(f, form)
		f.Add(form == Divided, wire)
		for _, p := range curve.EIGHT_TORSION {
			b := edwards25519.Encode(p)
			small := b[:]
			if form == Divided {
				small = coordinates(f, p)
			}
			f.Add(form == Divided, slices.Concat(small, wire[len(small):]))
			f.Add(form == Divided, slices.Concat(wire[:len(small)], small))
		}
	}
	f.Fuzz(func(t *testing.T, divided bool, b []byte) {
		form := Encoded
		if divided {
			form = Divided
		}
		n, ok := parse(form, b)
		if !ok {
			return
		}
		if !divided && !bytes.Equal(n.Bytes(), b) {
			t.Fatal("decoding and encoding give other bytes")
		}
		for i, a := range []edwards25519.Affine{n.hiding, n.binding} {
			p := pointOf(n.bytes[32*i:][:32])
			if b := a.Encode(); !bytes.Equal(b[:], n.bytes[32*i:][:32]) {
				t.Fatal("a point and its encoding are two")
			}
			if !p.IsTorsionFree() || p.IsIdentity() || p.Equal(curve.ED25519_BASEPOINT_POINT) == 1 {
				t.Fatal("a point outside the prime-order group, or one that nobody draws")
			}
		}
	})
}

// A nonce that nobody published signs nothing.
func TestUnpublishedNonce(t *testing.T) {
	key, shares := deal(t, 3, 2)
	session, _ := begin(t, key, shares, []byte("m"))
	var n SecNonce
	if err := n.Draw(rand.Reader, shares[1]); err != nil {
		t.Fatal(err)
	}
	if share, err := session.Sign(&n, shares[1], 1); err == nil || share != nil || n.pair.Load() != nil {
		t.Fatalf("it gave %x, %v", share, err)
	}
	nonces := make([]SecNonce, 2)
	if err := nonces[0].Draw(rand.Reader, shares[1]); err != nil {
		t.Fatal(err)
	}
	if wire, err := Publish(Divided, nonces); err == nil || wire != nil || nonces[0].pair.Load() != nil {
		t.Fatalf("a batch with an empty nonce: %x, %v", wire, err)
	}
}

// The hiding nonces of a set may add up to the identity: that harms nobody.
func TestHidingNoncesThatCancelOut(t *testing.T) {
	key, shares := deal(t, 3, 2)
	secs := make([]SecNonce, 2)
	d, e := scalarOf(1234), scalarOf(99)
	secs[0].pair.Store(&noncePair{secrets: [2]Scalar{*d, *e}})
	secs[1].pair.Store(&noncePair{secrets: [2]Scalar{*scalar.New().Neg(d), *scalarOf(98)}})
	wire := must(Publish(Divided, secs))(t)
	pubs := make([]PubNonce, 2)
	if bad := ParseNonces(Divided, pubs, wire, false); bad >= 0 {
		t.Fatal(bad)
	}
	set := must(NewSignerSet(3, 2, []uint16{1, 2}))(t)
	session := must(newSession(key, set, []*PubNonce{&pubs[0], &pubs[1]}, []byte("m")))(t)
	var answers [][]byte
	for i := range secs {
		answers = append(answers, must(session.Sign(&secs[i], shares[uint16(i+1)], uint16(i+1)))(t))
	}
	if err := library(session).VerifySum(answers, must(session.Aggregate(answers))(t)); err != nil {
		t.Fatal(err)
	}
}
