package solana

import (
	"crypto/ed25519"
	"crypto/sha512"
	"testing"

	"filippo.io/edwards25519"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

func newCache() *derive.Cache { return derive.NewCache(10) }

// signChild signs as a key at offsets from a secret key: it is what a fleet's signature is.
func signChild(t *testing.T, name string, offsets [][32]byte, message []byte) []byte {
	t.Helper()
	h := sha512.Sum512(secret(name).Seed())
	s, err := edwards25519.NewScalar().SetBytesWithClamping(h[:32])
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range offsets {
		offset, err := edwards25519.NewScalar().SetCanonicalBytes(o[:])
		if err != nil {
			t.Fatal(err)
		}
		s.Add(s, offset)
	}
	hash := func(parts ...[]byte) *edwards25519.Scalar {
		d := sha512.New()
		for _, p := range parts {
			d.Write(p)
		}
		x, err := edwards25519.NewScalar().SetUniformBytes(d.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	point := func(x *edwards25519.Scalar) []byte { return new(edwards25519.Point).ScalarBaseMult(x).Bytes() }
	nonce := hash(h[32:], message)
	r := point(nonce)
	z := edwards25519.NewScalar().MultiplyAdd(hash(r, point(s), message), s, nonce)
	return append(r, z.Bytes()...)
}

// A child of a key signs as an account of its own.
func TestChild(t *testing.T) {
	t.Parallel()
	root := rootOf("us", 0, 17)
	child, err := root.Key.Child(root.Path)
	if err != nil {
		t.Fatal(err)
	}
	from := address(key(child.PublicKey))
	raw := draft{signers: []string{from}, calls: []callDraft{transferOf(from, "payee", 1)}}.bytes()
	branches := newCache()
	for range 2 { // the second time from the cache
		if _, refusal := ReadTransaction(raw, roots("us"), branches); refusal == nil {
			t.Fatal("the root signs for a child")
		}
		tx, refusal := ReadTransaction(raw, []intent.Root{root}, branches)
		if refusal != nil {
			t.Fatal(refusal)
		}
		s := tx.Intent().Signatures[0]
		done, err := tx.Finish([][]byte{signChild(t, "us", s.Offsets, s.Message)}, true)
		if err != nil || !ed25519.Verify(child.PublicKey, s.Message, done.Transaction[1:65]) {
			t.Errorf("the child's signature does not verify: %v", err)
		}
	}
}
