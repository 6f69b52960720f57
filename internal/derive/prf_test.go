package derive

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"testing"
	"testing/quick"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// The keyed hash is crypto/hmac's, whatever the hasher computed before.
func TestPRF(t *testing.T) {
	h := newHasher()
	check := func(chain [32]byte, public [33]byte, index uint32, edwards bool) bool {
		tag, key := "", public[:]
		if edwards {
			tag, key = childTag, public[:32]
		}
		mac := hmac.New(sha512.New, chain[:])
		mac.Write([]byte(tag))
		mac.Write(key)
		mac.Write(binary.BigEndian.AppendUint32(nil, index))
		p := newPRF(&chain)
		return bytes.Equal(mac.Sum(nil), h.hash(&p, tag, key, index)[:])
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 500}); err != nil {
		t.Error(err)
	}
}

// Offsets are as they follow from the definitions, step by step and one by one.
func TestOffsetsOneByOne(t *testing.T) {
	for _, root := range roots(t) {
		var of []Descendant
		for i := range uint32(100) {
			of = append(of, Descendant{root, Path{i / 30, i}})
		}
		_, offsets, errs := NewCache(10).children(of)
		for i, d := range of {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			k := root
			for step, index := range d.Path {
				mac := hmac.New(sha512.New, k.ChainCode[:])
				if root.Suite != roots(t)[0].Suite {
					mac.Write([]byte(childTag))
				}
				mac.Write(k.PublicKey)
				mac.Write(binary.BigEndian.AppendUint32(nil, index))
				if sum := mac.Sum(nil); !bytes.Equal(offsets[i][step][:], offsetOf(t, k, sum)) {
					t.Fatalf("%s, %s, step %d: %x", k.Suite, d.Path, step, offsets[i][step])
				}
				var err error
				if k, err = k.Child(Path{index}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// offsetOf is the offset that a hash yields in the suite of a key.
func offsetOf(t *testing.T, k Key, sum []byte) []byte {
	t.Helper()
	if len(k.PublicKey) == 33 {
		s, err := secp.NewScalarFromCanonicalBytes((*[32]byte)(sum[:32]))
		if err != nil {
			t.Fatal(err)
		}
		return s.Bytes()
	}
	s, err := scalar.NewFromBytesModOrderWide(sum)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
