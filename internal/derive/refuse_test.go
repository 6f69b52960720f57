package derive

import (
	"bytes"
	"errors"
	"math/big"
	"slices"
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

func TestNoKey(t *testing.T) {
	secpRoot, edRoot := roots(t)[0], roots(t)[1]
	change := func(k Key, f func(*Key)) Key {
		k.PublicKey = slices.Clone(k.PublicKey)
		f(&k)
		return k
	}
	for name, k := range map[string]Key{
		"nothing":       {},
		"no suite":      change(secpRoot, func(k *Key) { k.Suite = 0 }),
		"another suite": change(secpRoot, func(k *Key) { k.Suite = frost.Ed25519 }),
		"short":         change(secpRoot, func(k *Key) { k.PublicKey = k.PublicKey[1:] }),
		"prefix":        change(secpRoot, func(k *Key) { k.PublicKey[0] = 4 }),
		"off the curve": change(secpRoot, func(k *Key) {
			k.PublicKey = append([]byte{2}, make([]byte, 31)...)
			k.PublicKey = append(k.PublicKey, 5)
		}),
		"not canonical":  change(secpRoot, func(k *Key) { copy(k.PublicKey[1:], bytes.Repeat([]byte{255}, 32)) }),
		"ed short":       change(edRoot, func(k *Key) { k.PublicKey = k.PublicKey[1:] }),
		"ed identity":    change(edRoot, func(k *Key) { clear(k.PublicKey); k.PublicKey[0] = 1 }),
		"ed small order": change(edRoot, func(k *Key) { clear(k.PublicKey) }),
		"ed mixed order": change(edRoot, func(k *Key) { k.PublicKey = mixed(k.PublicKey) }),
		"ed off curve":   change(edRoot, func(k *Key) { clear(k.PublicKey); k.PublicKey[0] = 2 }),
	} {
		if got, err := k.Child(Path{0}); !errors.Is(err, ErrKey) || got.PublicKey != nil {
			t.Errorf("%s: %x, %v", name, got, err)
		}
		if got, err := k.Offsets(Path{0, 1}); !errors.Is(err, ErrKey) || got != nil {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

// BIP 32's invalid indexes: I_L not below n, and a child at infinity. No hash gives
// them in practice, so I is made up.
func TestInvalidChild(t *testing.T) {
	order, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	five := secp.NewScalarFromUint64(5)
	parent := []vartime.Point{{}}
	vartime.AddBaseMults(parent, []*secp.Scalar{five})
	n := secpNodeOf(parent[0], [32]byte{1})
	for name, c := range map[string]struct {
		left *big.Int
		ok   bool
	}{
		"n-6, which gives -G":      {new(big.Int).Sub(order, big.NewInt(6)), true},
		"n-5, which gives 0":       {new(big.Int).Sub(order, big.NewInt(5)), false},
		"n-4, which gives G":       {new(big.Int).Sub(order, big.NewInt(4)), true},
		"n":                        {order, false},
		"n+1":                      {new(big.Int).Add(order, big.NewInt(1)), false},
		"2^256-1":                  {new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)), false},
		"5, which doubles":         {big.NewInt(5), true},
		"0, which BIP 32 lets be":  {new(big.Int), true},
		"n-1, the highest of them": {new(big.Int).Sub(order, big.NewInt(1)), true},
	} {
		var i [64]byte
		c.left.FillBytes(i[:32])
		i[63] = 7
		got, err := n.childOf(&i)
		if c.ok != (err == nil) || !c.ok && !errors.Is(err, ErrInvalidChild) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !c.ok {
			continue
		}
		want := plus(t, n.key(), [][32]byte{[32]byte(i[:32])})
		if !bytes.Equal(got.public, want) || got.chain != [32]byte(i[32:]) {
			t.Errorf("%s: %x, want %x", name, got.public, want)
		}
	}
	if err := proper([]vartime.Point{parent[0], {}}, 8); !errors.Is(err, ErrInvalidChild) ||
		err.Error()[:8] != "index 9:" {
		t.Errorf("a run with a child at infinity: %v", err)
	}
}
