package derive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"testing/quick"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/base58"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/frostfleet/frostfleet/internal/frost"
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
