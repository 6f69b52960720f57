package derive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/quick"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/base58"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	secp "gitlab.com/yawning/secp256k1-voi"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// extended reads an extended public key of a vector: chain code and key.
func extended(t testing.TB, xpub string) Key {
	t.Helper()
	b := base58.Decode(xpub)
	if len(b) != 82 {
		t.Fatalf("%s has %d bytes", xpub, len(b))
	}
	return Key{frost.Secp256k1TR, b[45:78], [32]byte(b[13:45])}
}

// vectors are what can be derived without secrets in the test vectors of BIP 32
// (vectors 1 and 2) and BIP 86.
var vectors = []struct{ parent, path, child string }{
	{ // vector 1, m/0' and m/0'/1
		"xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9xv5ski8PX9rL2dZXvgGDnw",
		"1",
		"xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hqck2AxYysAA7xmALppuCkwQ",
	},
	{ // m/0'/1/2' and m/0'/1/2'/2
		"xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT5Uv6fcLW5",
		"2",
		"xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv1ZACTj37sR62cfN7fe5JnJ7dh8zL4fiyLHV",
	},
	{ // m/0'/1/2' and m/0'/1/2'/2/1000000000
		"xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT5Uv6fcLW5",
		"2/1000000000",
		"xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW6cFJodrTHy",
	},
	{ // vector 2, m and m/0
		"xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB",
		"0",
		"xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH",
	},
	{ // m/0/2147483647' and m/0/2147483647'/1
		"xpub6ASAVgeehLbnwdqV6UKMHVzgqAG8Gr6riv3Fxxpj8ksbH9ebxaEyBLZ85ySDhKiLDBrQSARLq1uNRts8RuJiHjaDMBU4Zn9h8LZNnBC5y4a",
		"1",
		"xpub6DF8uhdarytz3FWdA8TvFSvvAh8dP3283MY7p2V4SeE2wyWmG5mg5EwVvmdMVCQcoNJxGoWaU9DCWh89LojfZ537wTfunKau47EL2dhHKon",
	},
	{ // m/0/2147483647'/1/2147483646' and m/0/2147483647'/1/2147483646'/2
		"xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL",
		"2",
		"xpub6FnCn6nSzZAw5Tw7cgR9bi15UV96gLZhjDstkXXxvCLsUXBGXPdSnLFbdpq8p9HmGsApME5hQTZ3emM2rnY5agb9rXpVGyy3bdW6EEgAtqt",
	},
	{ // BIP 86, account 0 and the first receiving address
		"xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ",
		"0/0",
		"xpub6H3W6JmYJXN49h5TfcVjLC3onS6uPeUTTJoVvRC8oG9vsTn2J8LwigLzq5tHbrwAzH9DGo6ThGUdWsqce8dGfwHVBxSbixjDADGGdzF7t2B",
	},
	{ // the second receiving address
		"xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ",
		"0/1",
		"xpub6H3W6JmYJXN4CCKUSnriaiQRCZmG6aq4sCMDqTu1ACyngw7HShf59hAxYjXgKDuuHThVEUzdHrc3aXCr9kfvQvZPit5dnD3K9xVRBzjK3rX",
	},
	{ // the first change address
		"xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ",
		"1/0",
		"xpub6GL8SnQwRCGDhB59LEz9HMyM6sRYoByXBzXK3iEKWgCz8XrZNHUzd9L3AUBELW5NzA7dEFvMas1F84TuPH3xqdUA5tumaGWFgihJzWytXe3",
	},
}

func parsePath(t testing.TB, text string) Path {
	t.Helper()
	path, err := ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBIP32Vectors(t *testing.T) {
	for _, v := range vectors {
		got, err := extended(t, v.parent).Child(parsePath(t, v.path))
		want := extended(t, v.child)
		if err != nil || !bytes.Equal(got.PublicKey, want.PublicKey) || got.ChainCode != want.ChainCode {
			t.Errorf("%s of %s is %x, %v", v.path, v.parent, got, err)
		}
	}
}

// BIP 86: the output keys of its vectors.
func TestBIP86Vectors(t *testing.T) {
	account := extended(t, vectors[len(vectors)-1].parent)
	for path, want := range map[string]string{
		"0/0": "a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c",
		"0/1": "a82f29944d65b86ae6b5e5cc75e294ead6c59391a1edc5e016e3498c67fc7bbb",
		"1/0": "882d74e5d0572d5a816cef0041a96b6c1de832f6f9676d9605c44d5e9a97d3dc",
	} {
		p := parsePath(t, path)
		b, err := NewBranch(account, p[:1])
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.OutputKeys(p[1], 1)
		if err != nil || hex.EncodeToString(got[0][:]) != want {
			t.Errorf("%s: %x, %v", path, got, err)
		}
	}
}

// roots are a key of each suite.
func roots(t testing.TB) []Key {
	t.Helper()
	return []Key{extended(t, vectors[3].parent), edwardsRoot(t)}
}

// against derives with btcutil's hdkeychain.
func against(t testing.TB, root Key, path Path) *hdkeychain.ExtendedKey {
	t.Helper()
	k := hdkeychain.NewExtendedKey(chaincfg.MainNetParams.HDPublicKeyID[:], root.PublicKey, root.ChainCode[:],
		make([]byte, 4), 0, 0, false)
	for _, index := range path {
		var err error
		if k, err = k.Derive(index); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// randomRoot returns a root of a key drawn from seed.
func randomRoot(seed [32]byte) Key {
	_, public := btcec.PrivKeyFromBytes(seed[:])
	return Key{frost.Secp256k1TR, public.SerializeCompressed(), sha256.Sum256(seed[:])}
}

// Roots and paths of every depth, against hdkeychain; and the child is the root with
// the offsets added, which is what signers assume.
func TestAgainstHdkeychain(t *testing.T) {
	check := func(seed [32]byte, indexes [MaxDepth]uint32, n uint8) bool {
		root, path := randomRoot(seed), Path(indexes[:n%(MaxDepth+1)])
		for i := range path {
			path[i] &= MaxIndex
		}
		got, err := root.Child(path)
		if err != nil {
			t.Fatal(err)
		}
		want := against(t, root, path)
		public, err := want.ECPubKey()
		if err != nil {
			t.Fatal(err)
		}
		offsets, err := root.Offsets(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Equal(got.PublicKey, public.SerializeCompressed()) &&
			bytes.Equal(got.ChainCode[:], want.ChainCode()) && len(offsets) == len(path) &&
			bytes.Equal(plus(t, root, offsets), got.PublicKey)
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 60}); err != nil {
		t.Error(err)
	}
}

// plus adds offsets·G to a key by btcec.
func plus(t testing.TB, root Key, offsets [][32]byte) []byte {
	t.Helper()
	public, err := btcec.ParsePubKey(root.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var sum btcec.JacobianPoint
	public.AsJacobian(&sum)
	for _, o := range offsets {
		var s btcec.ModNScalar
		var p btcec.JacobianPoint
		s.SetBytes(&o)
		btcec.ScalarBaseMultNonConst(&s, &p)
		btcec.AddNonConst(&sum, &p, &sum)
	}
	sum.ToAffine()
	return btcec.NewPublicKey(&sum.X, &sum.Y).SerializeCompressed()
}

// A run has the keys that each path has by itself, whatever its length, and outputs
// that btcd computes.
func TestRuns(t *testing.T) {
	for _, root := range roots(t) {
		b, err := NewBranch(root, Path{1})
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range []struct {
			first uint32
			count int
		}{{0, 1}, {7, 15}, {100, 16}, {5, 300}, {MaxIndex - 599, 600}} {
			keys, err := b.PublicKeys(run.first, run.count)
			if err != nil || len(keys) != run.count {
				t.Fatal(err)
			}
			outputs, err := b.OutputKeys(run.first, run.count)
			if (err == nil) != (root.Suite == frost.Secp256k1TR) {
				t.Fatal(err)
			}
			for _, j := range []int{0, run.count / 2, rand.N(run.count), run.count - 1} {
				one, err := root.Child(Path{1, run.first + uint32(j)})
				if err != nil || !bytes.Equal(one.PublicKey, keys[j]) {
					t.Fatalf("child %d of %d from %d on: %x, alone %x, %v", j, run.count, run.first, keys[j], one, err)
				}
				if outputs == nil {
					continue
				}
				internal, err := btcec.ParsePubKey(keys[j])
				if err != nil {
					t.Fatal(err)
				}
				want := schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(internal))
				if !bytes.Equal(outputs[j][:], want) {
					t.Fatalf("output %d is %x, want %x", j, outputs[j], want)
				}
			}
		}
	}
}

func TestRunsRefuse(t *testing.T) {
	for _, root := range roots(t) {
		b, err := NewBranch(root, Path{1})
		if err != nil {
			t.Fatal(err)
		}
		deepest, err := NewBranch(root, make(Path, MaxDepth))
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			b     *Branch
			first uint32
			count int
			want  error
		}{
			"none":            {b, 0, 0, ErrIndex},
			"fewer than none": {b, 0, -1, ErrIndex},
			"hardened":        {b, MaxIndex + 1, 1, ErrIndex},
			"over the end":    {b, MaxIndex, 2, ErrIndex},
			"far over it":     {b, 1, 1<<31 - 1 + 1<<32, ErrIndex},
			"too deep":        {deepest, 0, 1, ErrTooDeep},
		} {
			if keys, err := c.b.PublicKeys(c.first, c.count); !errors.Is(err, c.want) || keys != nil {
				t.Errorf("%s, %s: %v, %v", root.Suite, name, len(keys), err)
			}
			if root.Suite == frost.Secp256k1TR {
				if keys, err := c.b.OutputKeys(c.first, c.count); !errors.Is(err, c.want) || keys != nil {
					t.Errorf("%s, %s: %v, %v", root.Suite, name, len(keys), err)
				}
			}
		}
		if _, err := deepest.Offsets(0); !errors.Is(err, ErrTooDeep) {
			t.Errorf("offsets below the deepest: %v", err)
		}
		if offsets, err := b.Offsets(3); err != nil || len(offsets) != 2 {
			t.Errorf("%d offsets, %v", len(offsets), err)
		}
	}
}

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
