package awskms

import (
	"crypto/ecdsa"
	"testing"

	"github.com/frostfleet/frostfleet/test/kmstest"
)

// BenchmarkSign is one call over the loopback interface, with the CPU of both
// sides: the SDK's, and that of FaultKMS (which signs).
func BenchmarkSign(b *testing.B) {
	_, o := faulty(b)
	p := open(b, o)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Sign(b.Context(), [32]byte{1}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDerive is the same with an HMAC, which costs next to nothing: what
// is left is the SDK and HTTP.
func BenchmarkDerive(b *testing.B) {
	_, o := faulty(b)
	p := open(b, o)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Derive(b.Context(), []byte("label")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlainHTTP is the same HMAC without the SDK and without a
// signature of the request: the price of HTTP, JSON and FaultKMS alone.
func BenchmarkPlainHTTP(b *testing.B) {
	f, o := faulty(b)
	in := map[string]any{"KeyId": o.DerivationKeyID, "Message": []byte("label"), "MacAlgorithm": "HMAC_SHA_256"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := kmstest.Do(f.URL, kmstest.Region, kmstest.GenerateMac, in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	key := newKey(b)
	sig := signed(b, key, [32]byte{1})
	b.ReportAllocs()
	for b.Loop() {
		digest := [32]byte{1}
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			b.Fatal("does not verify")
		}
	}
}

func BenchmarkRecover(b *testing.B) {
	sig := signed(b, newKey(b), [32]byte{1})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := recoverVarTime([32]byte{1}, sig); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen is a start with both keys.
func BenchmarkOpen(b *testing.B) {
	_, o := faulty(b)
	for b.Loop() {
		p, err := Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		_ = p.Close()
	}
}
