package rfc9591

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

func small(n uint64) [32]byte { return edwards25519.EncodeScalar(scalar.NewFromUint64(n)) }

// childOf is one child alone.
func childOf(k *Key, offsets ...[32]byte) (*Key, error) {
	keys, errs := Children([]*Key{k}, [][][32]byte{offsets})
	return keys[0], errs[0]
}

// A child's offset is the sum of its offsets; the key that it was made of stays as it was.
func TestChild(t *testing.T) {
	key, shares := deal(t, 3, 2)
	before := bytes.Clone(key.Public())
	one, err := childOf(key, small(12))
	if err != nil {
		t.Fatal(err)
	}
	three, err := childOf(key, small(3), small(4), small(5))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Public(), three.Public()) || !bytes.Equal(key.Public(), before) ||
		bytes.Equal(one.Public(), before) {
		t.Fatalf("%x, %x of %x", one.Public(), three.Public(), key.Public())
	}
	other, err := childOf(three, small(12))
	if err != nil || !bytes.Equal(other.Public(), one.Public()) {
		t.Fatalf("of a child: %v, %v", other, err)
	}
	for _, k := range []*Key{key, one} {
		session, nonces := begin(t, k, shares, []byte("message"))
		var answers [][]byte
		var claims []Claim
		for i, id := range session.set.ids {
			share, err := session.Sign(nonces[i], shares[id], id)
			if err != nil {
				t.Fatal(err)
			}
			answers, claims = append(answers, share), append(claims, Claim{session, id, share})
		}
		sig, err := session.Aggregate(answers)
		if err := library(session).VerifySum(answers, sig); err != nil {
			t.Fatal(err)
		}
		if err != nil || !ed25519.Verify(k.Public(), []byte("message"), sig) || !VerifyBatch(claims) {
			t.Fatalf("signature %x, %v", sig, err)
		}
	}
}

func TestChildRefuses(t *testing.T) {
	five := edwards25519.Encode(edwards25519.BaseMult(scalar.NewFromUint64(5)))
	key, err := NewKey(1, 1, five[:], five[:])
	if err != nil {
		t.Fatal(err)
	}
	minus := edwards25519.EncodeScalar(scalar.New().Neg(scalar.NewFromUint64(5)))
	if k, err := childOf(key, minus); !errors.Is(err, ErrChild) || k != nil {
		t.Errorf("the identity: %v", err)
	}
	order := [32]byte{ // of the group
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
	if k, err := childOf(key, small(1), order); !errors.Is(err, edwards25519.ErrScalar) || k != nil {
		t.Errorf("an offset that is not canonical: %v", err)
	}
}

// Many are what each alone is, and one that there is not spoils no other.
func TestChildren(t *testing.T) {
	var keys []*Key
	var offsets [][][32]byte
	for i := range 60 {
		s := scalar.NewFromUint64(uint64(5 + i/5%3))
		public := edwards25519.Encode(edwards25519.BaseMult(s))
		key, err := NewKey(1, 1, public[:], public[:])
		if err != nil {
			t.Fatal(err)
		}
		minus := edwards25519.EncodeScalar(scalar.New().Neg(s))
		keys = append(keys, key)
		offsets = append(offsets, [][][32]byte{
			{small(uint64(i))}, {small(1), small(uint64(i))}, nil, {minus}, {{31: 0xff}}, {minus, small(1), minus},
		}[i%6])
	}
	keys[7] = nil
	got, errs := Children(keys, offsets)
	for i, k := range keys {
		want, err := childOf(k, offsets[i]...)
		switch {
		case !errors.Is(errs[i], err) && errs[i].Error() != err.Error() || (got[i] == nil) != (want == nil):
			t.Errorf("%d: %v, alone %v", i, errs[i], err)
		case want != nil && (!bytes.Equal(got[i].Public(), want.Public()) ||
			len(offsets[i]) > 0 && got[i].offset.Equal(want.offset) == 0):
			t.Errorf("%d: %x, alone %x", i, got[i].Public(), want.Public())
		}
		if bad := i%6 == 3 || i%6 == 4; (errs[i] != nil) != bad {
			t.Errorf("%d: %v", i, errs[i])
		}
	}
}
