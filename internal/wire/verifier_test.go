package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	edwards "filippo.io/edwards25519"
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
		case 5: // R of small order and S = 0
			signature = make([]byte, 64)
			signature[0] = byte(rng.IntN(2))
		case 6:
			signature = signature[:rng.IntN(64)]
		}
		v, err := newVerifier(public)
		want := err == nil && ed25519.Verify(public, message, signature)
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

// weakKeys are all 32-byte strings that decode to a point of small order, whichever
// decoder one asks, and points with a part of small order.
func weakKeys(t testing.TB) map[string][]byte {
	t.Helper()
	const sign = 0x80
	y := func(hexadecimal string) []byte { return must(hex.DecodeString(hexadecimal)) }
	top := func(first byte) []byte { // p + first - 0xed, which is not below p
		b := bytes.Repeat([]byte{0xff}, 32)
		b[0], b[31] = first, 0x7f
		return b
	}
	order8 := y("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	order8b := y("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
	one := append([]byte{1}, make([]byte, 31)...)
	keys := map[string][]byte{
		"order 4": make([]byte, 32), "identity": one, "order 2": top(0xec), "order 8": order8, "order 8, -y": order8b,
		"order 4, y = p": top(0xed), "identity, y = p+1": top(0xee),
	}
	for name, key := range maps.Clone(keys) {
		signed := bytes.Clone(key)
		signed[31] |= sign
		keys[name+", signed"] = signed
	}
	torsion := must(new(edwards.Point).SetBytes(order8))
	for i := 1; i < 8; i++ {
		public := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i)}, 32)).Public().(ed25519.PublicKey)
		mixed := must(new(edwards.Point).SetBytes(public))
		for range i {
			mixed.Add(mixed, torsion)
		}
		keys[fmt.Sprintf("a good key plus %d torsion points", i)] = mixed.Bytes()
	}
	keys["off the curve"] = append([]byte{2}, make([]byte, 31)...)
	keys["all ones"] = bytes.Repeat([]byte{0xff}, 32)
	return keys
}

// Nobody signs for clients, gateways and sessions whose key anybody could sign for.
func TestWeakKeysAreRefused(t *testing.T) {
	f := newFleet(t, 2, 3)
	small := 0
	for name, key := range weakKeys(t) {
		if p, err := new(edwards.Point).SetBytes(key); err == nil &&
			p.MultByCofactor(p).Equal(edwards.NewIdentityPoint()) == 1 {
			small++
		}
		if err := CheckPublicKey(key); !errors.Is(err, ErrWeakKey) {
			t.Errorf("%s: %v", name, err)
		}
		clients := []Client{{Name: "alice", Key: key, Kinds: Kinds}}
		if _, err := NewAccess(clients, nil); !errors.Is(err, ErrWeakKey) || !strings.Contains(err.Error(), "alice") {
			t.Errorf("client with %s: %v", name, err)
		}
		gateways := map[string]ed25519.PublicKey{"gw7": key}
		if _, err := NewAccess(nil, gateways); !errors.Is(err, ErrWeakKey) || !strings.Contains(err.Error(), "gw7") {
			t.Errorf("gateway with %s: %v", name, err)
		}
		d := f.sessions[1].pending
		d.Key = key
		d.Attestation = f.attestOne(1, d.leaf(f.m))
		if _, err := NewOpener(f.m, f.access).delegation(Encode(&d)); !errors.Is(err, errDelegation) {
			t.Errorf("delegation of %s: %v", name, err)
		}
	}
	if small != 14 {
		t.Errorf("%d encodings of points of small order in the test, there are 14", small)
	}
}
