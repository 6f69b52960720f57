package descriptor

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/quick"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
)

// goodKeys are extended public keys of BIP 32's test vectors 1, 2 and 3, and BIP 86's.
var goodKeys = []string{
	"xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
	"xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9xv5ski8PX9rL2dZXvgGDnw",
	"xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW6cFJodrTHy",
	"xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB",
	"xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH",
	"xpub661MyMwAqRbcEZVB4dScxMAdx6d4nFc9nvyvH3v4gJL378CSRZiYmhRoP7mBy6gSPSCYk6SzXPTf3ND1cZAceL7SfJ1Z3GC8vBgp2epUt13",
	bip86Root,
	bip86Account,
}

const (
	bip86Root = "xpub661MyMwAqRbcFkPHucMnrGNzDwb6teAX1RbKQmqtEF8kK3Z7LZ59qafCjB9eCRLiTVG3ux" +
		"BxgKvRgbubRhqSKXnGGb1aoaqLrpMBDrVxga8"
	bip86Account = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UK" +
		"DP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"
)

func TestExtendedKeyVectors(t *testing.T) {
	for _, text := range goodKeys {
		k, err := ParseExtendedKey(text)
		if err != nil || k.String() != text {
			t.Errorf("%s became %s, %v", text, k, err)
		}
		want, err := hdkeychain.NewKeyFromString(text)
		if err != nil {
			t.Fatal(err)
		}
		public, err := want.ECPubKey()
		if err != nil {
			t.Fatal(err)
		}
		if k.Depth != want.Depth() || k.Index != want.ChildIndex() || k.ChainCode != [32]byte(want.ChainCode()) ||
			k.PublicKey != [33]byte(public.SerializeCompressed()) || k.Version != Mainnet {
			t.Errorf("%s is %+v", text, k)
		}
	}
}

// badKeys are invalid keys of BIP 32's test vector 5, with the word of the refusal.
var badKeys = []struct{ text, reason string }{
	{ // pubkey version / prvkey mismatch
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6LBpB85b3D2yc8sfvZU521AAwdZafE" +
			"z7mnzBBsz4wKY5fTtTQBm", "curve"},
	{ // prvkey version / pubkey mismatch
		"xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFGTQQD3dC4H2D5GBj7vWvSQaaBv5cx" +
			"i9gafk7NF3pnBju6dwKvH", "version"},
	{ // invalid pubkey prefix 04
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Txnt3siSujt9RCVYsx4qHZGc62TG4" +
			"McvMGcAUjeuwZdduYEvFn", "curve"},
	{ // invalid prvkey prefix 04
		"xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFGpWnsj83BHtEy5Zt8CcDr1UiRXuWC" +
			"mTQLxEK9vbz5gPstX92JQ", "version"},
	{ // invalid pubkey prefix 01
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6N8ZMMXctdiCjxTNq964yKkwrkBJJw" +
			"pzZS4HS2fxvyYUA4q2Xe4", "curve"},
	{ // zero depth with non-zero parent fingerprint
		"xprv9s2SPatNQ9Vc6GTbVMFPFo7jsaZySyzk7L8n2uqKXJen3KUmvQNTuLh3fhZMBoG3G4ZW1N2kZuHEPY53qmbZzC" +
			"HshoQnNf4GvELZfqTUrcv", "version"},
	{ // zero depth with non-zero parent fingerprint
		"xpub661no6RGEX3uJkY4bNnPcw4URcQTrSibUZ4NqJEw5eBkv7ovTwgiT91XX27VbEXGENhYRCf7hyEbWrR3FewATd" +
			"CEebj6znwMfQkhRYHRLpJ", "parent"},
	{ // zero depth with non-zero index
		"xpub661MyMwAuDcm6CRQ5N4qiHKrJ39Xe1R1NyfouMKTTWcguwVcfrZJaNvhpebzGerh7gucBvzEQWRugZDuDXjNDR" +
			"mXzSZe4c7mnTK97pTvGS8", "parent"},
	{ // unknown extended key version
		"DMwo58pR1QLEFihHiXPVykYB6fJmsTeHvyTp7hRThAtCX8CvYzgPcn8XnmdfHGMQzT7ayAmfo4z3gY5KfbrZWZ6St2" +
			"4UVf2Qgo6oujFktLHdHY4", "version"},
	{ // unknown extended key version
		"DMwo58pR1QLEFihHiXPVykYB6fJmsTeHvyTp7hRThAtCX8CvYzgPcn8XnmdfHPmHJiEDXkTiJTVV9rHEBUem2mwVbb" +
			"NfvT2MTcAqj3nesx8uBf9", "version"},
	{ // private key 0 not in 1..n-1
		"xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzF93Y5wvzdUayhgkkFoicQZcP3y52uP" +
			"PxFnfoLZB21Teqt1VvEHx", "version"},
	{ // invalid pubkey
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Q5JXayek4PRsn35jii4veMimro1xe" +
			"fsM58PgBMrvdYre8QyULY", "curve"},
	{ // invalid checksum
		"xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3" +
			"TGtRBeJgk33yuGBxrMPHL", "checksum"},
}

// BIP 32, test vector 5, and some of our own.
func TestBadExtendedKeys(t *testing.T) {
	bad := map[string]string{
		"":                         "xpub",
		"xpub":                     "xpub",
		bip86Root[1:]:              "xpub",
		bip86Root + "1":            "xpub",
		"1" + bip86Root[1:]:        "xpub",
		bip86Root[:110] + "0":      "xpub", // 0 is no digit of Base58
		bip86Root[:110] + "b":      "checksum",
		" " + bip86Root:            "xpub",
		strings.Repeat("z", 1<<20): "xpub",
	}
	for _, k := range badKeys {
		bad[k.text] = k.reason
	}
	for text, reason := range bad {
		k, err := ParseExtendedKey(text)
		if !errors.Is(err, ErrExtendedKey) || !strings.Contains(err.Error(), reason) || k != (ExtendedKey{}) {
			t.Errorf("%.120q: %+v, %v", text, k, err)
		}
	}
}

// Extend against hdkeychain, on both kinds of network and at every depth.
func TestExtend(t *testing.T) {
	check := func(seed, chain [32]byte, indexes [derive.MaxDepth]uint32, n uint8) bool {
		_, public := btcec.PrivKeyFromBytes(seed[:])
		root := derive.Key{Suite: frost.Secp256k1TR, PublicKey: public.SerializeCompressed(), ChainCode: chain}
		path := derive.Path(indexes[:n%(derive.MaxDepth+1)])
		for v, params := range map[Version]*chaincfg.Params{
			Mainnet: &chaincfg.MainNetParams, Testnet: &chaincfg.TestNet3Params,
		} {
			want := hdkeychain.NewExtendedKey(params.HDPublicKeyID[:], root.PublicKey, chain[:], make([]byte, 4),
				0, 0, false)
			for i := range path {
				path[i] &= derive.MaxIndex
				var err error
				if want, err = want.Derive(path[i]); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Extend(v, root, path)
			if err != nil || got.String() != want.String() {
				t.Logf("%s: %s, want %s, %v", path, got, want, err)
				return false
			}
			if back, err := ParseExtendedKey(got.String()); err != nil || back != got {
				t.Logf("%s: read as %+v, %v", got, back, err)
				return false
			}
		}
		return true
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 40}); err != nil {
		t.Error(err)
	}
}

func TestExtendRefuses(t *testing.T) {
	k, err := ParseExtendedKey(bip86Root)
	if err != nil {
		t.Fatal(err)
	}
	root := k.Key()
	if _, err := Extend(Mainnet, root, derive.Path{1 << 31}); !errors.Is(err, derive.ErrIndex) {
		t.Errorf("hardened: %v", err)
	}
	if _, err := Extend(Mainnet, root, make(derive.Path, 9)); !errors.Is(err, derive.ErrTooDeep) {
		t.Errorf("too deep: %v", err)
	}
	for _, path := range []derive.Path{nil, {0}} {
		off := root
		off.PublicKey = bytes.Repeat([]byte{2}, 32)
		if _, err := Extend(Mainnet, off, path); !errors.Is(err, derive.ErrKey) {
			t.Errorf("no key, path %q: %v", path, err)
		}
		ed := root
		ed.Suite = frost.Ed25519
		if _, err := Extend(Mainnet, ed, path); err == nil {
			t.Errorf("an extended key of Ed25519, path %q", path)
		}
	}
}

func FuzzParseExtendedKey(f *testing.F) {
	for _, text := range goodKeys {
		f.Add(text)
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseExtendedKey(text)
		if err != nil && k != (ExtendedKey{}) || err == nil && k.String() != text {
			t.Fatalf("%q is %+v, %v", text, k, err)
		}
	})
}
