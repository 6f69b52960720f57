package awskms

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"

	"filippo.io/nistec"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t testing.TB, key *ecdsa.PrivateKey, digest [32]byte) []byte {
	t.Helper()
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func der(t testing.TB, r, s *big.Int) []byte {
	t.Helper()
	out, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRecover: of the keys that one signature leaves, exactly one made another.
func TestRecover(t *testing.T) {
	for i := range 50 {
		key := newKey(t)
		digests := [][32]byte{sha256.Sum256([]byte{byte(i)}), {}, [32]byte(slices.Repeat([]byte{0xff}, 32))}
		for j, digest := range digests {
			found, err := recoverVarTime(digest, signed(t, key, digest))
			if err != nil {
				t.Fatal(err)
			}
			other := digests[(j+1)%len(digests)]
			sig := signed(t, key, other)
			found = slices.DeleteFunc(found, func(q *ecdsa.PublicKey) bool { return !ecdsa.VerifyASN1(q, other[:], sig) })
			if len(found) != 1 || !found[0].Equal(&key.PublicKey) {
				t.Fatalf("recovered %v", found)
			}
		}
	}
}

// TestRecoverWrapped: a point whose x-coordinate is not below the order comes
// once in 2³² signatures, so it is made here: for any R, s and e there is a
// public key under which (R.x mod n, s) is a signature of e.
func TestRecoverWrapped(t *testing.T) {
	digest, s := sha256.Sum256([]byte("wrapped")), big.NewInt(12345)
	for r := big.NewInt(1); ; r.Add(r, big.NewInt(1)) {
		x := new(big.Int).Add(r, order)
		point, err := nistec.NewP256Point().SetBytes(append([]byte{2}, x.FillBytes(make([]byte, 32))...))
		if err != nil {
			continue
		}
		rInv := new(big.Int).ModInverse(r, order)
		e := new(big.Int).SetBytes(digest[:])
		sR, err := point.ScalarMult(point, scalar(new(big.Int).Mul(s, rInv)))
		if err != nil {
			t.Fatal(err)
		}
		eG, err := nistec.NewP256Point().ScalarBaseMult(scalar(new(big.Int).Neg(e.Mul(e, rInv))))
		if err != nil {
			t.Fatal(err)
		}
		want, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), sR.Add(sR, eG).Bytes())
		if err != nil {
			t.Fatal(err)
		}
		sig := der(t, r, s)
		if !ecdsa.VerifyASN1(want, digest[:], sig) {
			t.Fatal("the test made no signature")
		}
		found, err := recoverVarTime(digest, sig)
		if err != nil || !slices.ContainsFunc(found, func(q *ecdsa.PublicKey) bool { return q.Equal(want) }) {
			t.Fatalf("not found among %d keys, %v", len(found), err)
		}
		return
	}
}

func TestParseSignature(t *testing.T) {
	one, below := big.NewInt(1), new(big.Int).Sub(order, big.NewInt(1))
	good := der(t, one, below)
	if r, s, err := parseSignature(good); err != nil || r.Cmp(one) != 0 || s.Cmp(below) != 0 {
		t.Fatalf("%v, %v, %v", r, s, err)
	}
	for name, sig := range map[string][]byte{
		"empty":         nil,
		"trailing":      append(slices.Clone(good), 0),
		"cut":           good[:len(good)-1],
		"r = 0":         der(t, big.NewInt(0), one),
		"s = 0":         der(t, one, big.NewInt(0)),
		"r negative":    der(t, big.NewInt(-1), one),
		"r = n":         der(t, order, one),
		"s = n":         der(t, one, order),
		"not minimal":   {0x30, 0x07, 0x02, 0x02, 0x00, 0x01, 0x02, 0x01, 0x01},
		"long length":   {0x30, 0x81, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01},
		"one number":    {0x30, 0x03, 0x02, 0x01, 0x01},
		"three numbers": {0x30, 0x09, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01},
		"r and s bare":  make([]byte, 64),
	} {
		if _, _, err := parseSignature(sig); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// FuzzRecover: whatever is recovered from bytes that a server chose, the
// signature verifies under it; and bytes that crypto/ecdsa could never verify
// give nothing.
func FuzzRecover(f *testing.F) {
	key := newKey(f)
	for _, text := range []string{"a", "b"} {
		digest := sha256.Sum256([]byte(text))
		f.Add(digest[:], signed(f, key, digest))
	}
	f.Add(make([]byte, 32), der(f, big.NewInt(5), big.NewInt(1)))
	f.Add(make([]byte, 32), der(f, new(big.Int).Sub(order, big.NewInt(1)), big.NewInt(1)))
	f.Fuzz(func(t *testing.T, message, sig []byte) {
		var digest [32]byte
		copy(digest[:], message)
		found, err := recoverVarTime(digest, sig)
		if err != nil && found != nil || len(found) > 4 {
			t.Fatalf("%d keys, %v", len(found), err)
		}
		for _, public := range found {
			if !ecdsa.VerifyASN1(public, digest[:], sig) {
				t.Fatal("recovered a key under which the signature does not verify")
			}
		}
		if r, s, err := parseSignature(sig); err == nil && string(der(t, r, s)) != string(sig) {
			t.Fatal("signature is not what it re-encodes to")
		}
	})
}
