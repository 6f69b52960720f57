package wire

import (
	"bytes"
	"crypto/ed25519"
	"math/rand/v2"
	"testing"
)

// Whatever is signed or spoilt, the verifier says what crypto/ed25519 says.
func TestVerifierAgreesWithCryptoEd25519(t *testing.T) {
	rng := rand.New(rand.NewChaCha8([32]byte{7}))
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	order := []byte{ // of the group, little endian: S + order is the same scalar, not the same bytes
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	valid := 0
	for i := range 2000 {
		private := ed25519.NewKeyFromSeed(bytesOf(ed25519.SeedSize))
		public, message := []byte(private.Public().(ed25519.PublicKey)), bytesOf(rng.IntN(100))
		signature := ed25519.Sign(private, message)
		switch i % 8 {
		case 1:
			signature[rng.IntN(64)] ^= 1 << rng.IntN(8)
		case 2:
			message = append(message, 0)
		case 3:
			public = bytesOf(32)
		case 4:
			carry := 0
			for j, o := range order {
				carry += int(signature[32+j]) + int(o)
				signature[32+j] = byte(carry)
				carry >>= 8
			}
		case 5: // a key of small order and S = 0: some messages verify
			public = make([]byte, 32)
			if rng.IntN(2) == 0 {
				public[0] = 1
			}
			signature = append(bytes.Clone(public), make([]byte, 32)...)
		case 6:
			signature = signature[:rng.IntN(64)]
		}
		want := ed25519.Verify(public, message, signature)
		v, err := newVerifier(public)
		got := err == nil && v.verify(message, signature)
		if got != want {
			t.Fatalf("case %d: %v, crypto/ed25519 says %v; key %x, message %x, signature %x", i%8, got, want, public, message, signature)
		}
		if got {
			valid++
		}
	}
	if valid < 500 {
		t.Errorf("only %d valid signatures in the test", valid)
	}
	if _, err := newVerifier(nil); err == nil {
		t.Error("no error for an empty key")
	}
}
