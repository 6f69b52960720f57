package derive

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// described derives by hdkeychain, or by the definition of an Ed25519 key's children.
func described(t testing.TB, root Key, path Path) (public []byte, offsets [][32]byte) {
	t.Helper()
	var err error
	if root.Suite == frost.Secp256k1TR {
		k := against(t, root, nil)
		public := mustPublic(t, k)
		for _, index := range path {
			data := binary.BigEndian.AppendUint32(slices.Clone(public), index)
			offsets = append(offsets, [32]byte(hmac512(k.ChainCode(), data)))
			if k, err = k.Derive(index); err != nil {
				t.Fatal(err)
			}
			public = mustPublic(t, k)
		}
		return public, offsets
	}
	c, err := curve.NewCompressedEdwardsYFromBytes(root.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	p, err := curve.NewEdwardsPoint().SetCompressedY(c)
	if err != nil {
		t.Fatal(err)
	}
	chain := root.ChainCode[:]
	for _, index := range path {
		data := binary.BigEndian.AppendUint32(slices.Clone(c[:]), index)
		s, err := scalar.NewFromBytesModOrderWide(hmac512(chain, []byte(childTag), data))
		if err != nil {
			t.Fatal(err)
		}
		chain = hmac512(chain, []byte(chainTag), data)[:32]
		c.SetEdwardsPoint(p.Add(p, curve.NewEdwardsPoint().MulBasepoint(curve.ED25519_BASEPOINT_TABLE, s)))
		var b [32]byte
		if err := s.ToBytes(b[:]); err != nil {
			t.Fatal(err)
		}
		offsets = append(offsets, b)
	}
	return c[:], offsets
}

// Whatever is asked for in one pass, and whatever the cache held before, is what the
// definitions say, and a path or a root that is refused is so in its own place.
func FuzzChildren(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x02, 0, 0, 0, 1, 0, 0, 0, 7, 0x12, 0, 0, 0, 1, 0, 0, 0, 7, 0x03, 0xff, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2})
	f.Add([]byte{0x02, 0, 0, 0, 1, 0, 0, 0, 7, 0x02, 0, 0, 0, 2, 0, 0, 0, 7})                  // other parents
	f.Add(bytes.Repeat([]byte{0x02, 0, 0, 0, 1, 0, 0, 0, 7, 0x22, 0, 0, 0, 1, 0, 0, 0, 7}, 2)) // other chain codes
	f.Add(bytes.Repeat([]byte{0x01, 0, 0, 0, 1, 0x11, 0, 0, 0, 2, 0x41, 0, 0, 0, 3}, 30))
	f.Fuzz(func(t *testing.T, b []byte) {
		var of []Descendant
		all := roots(t)
		for len(b) > 0 && len(of) < 60 {
			d := Descendant{Root: all[b[0]>>4&1]}
			d.Root.ChainCode[31] ^= b[0] >> 5 & 1
			if b[0]>>6 == 3 {
				d.Root.PublicKey = d.Root.PublicKey[1:]
			}
			depth := int(b[0]&15) % (MaxDepth + 3)
			for b = b[1:]; len(d.Path) < depth; b = b[min(len(b), 4):] {
				var index [4]byte
				copy(index[:], b)
				if d.Path = append(d.Path, binary.BigEndian.Uint32(index[:])); len(of) > 10 {
					d.Path[len(d.Path)-1] %= 3 // so that parents meet
				}
			}
			of = append(of, d)
		}
		want := make([]found, len(of))
		for i, d := range of {
			want[i] = findAlone(t, d)
		}
		for _, cache := range []*Cache{NewCache(0), NewCache(2), NewCache(1000)} {
			for range 2 {
				keys, offsets, errs := cache.children(of)
				for i, d := range of {
					w := &want[i]
					if !bytes.Equal(keys[i], w.key) || !slices.Equal(offsets[i], w.offsets) || (errs[i] != nil) != w.bad {
						t.Fatalf("%s, %s: %x, %x, %v; want %+v", d.Root.Suite, d.Path, keys[i], offsets[i], errs[i], *w)
					}
				}
			}
		}
	})
}

// found is what there is of a descendant.
type found struct {
	key     []byte
	offsets [][32]byte
	bad     bool
}

// findAlone finds a descendant of one of [roots], or of one whose key lacks a byte.
func findAlone(t testing.TB, d Descendant) (f found) {
	t.Helper()
	whole := len(d.Root.PublicKey) == len(roots(t)[d.Root.Suite-1].PublicKey)
	switch {
	case len(d.Path) == 0:
		f.key = d.Root.PublicKey
	case !whole || d.Path.validate() != nil:
		f.bad = true
	default:
		f.key, f.offsets = described(t, d.Root, d.Path)
	}
	return f
}

func mustPublic(t testing.TB, k *hdkeychain.ExtendedKey) []byte {
	t.Helper()
	p, err := k.ECPubKey()
	if err != nil {
		t.Fatal(err)
	}
	return p.SerializeCompressed()
}
