package exit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// TestReconstruct: any two of three, in any order, and all three, give the secrets of the
// public keys, as other libraries compute them.
func TestReconstruct(t *testing.T) {
	files := batches(t, "mainnet", 2)
	for _, of := range [][]Named{
		named(files[0], files[1]), named(files[2], files[0]), named(files[1], files[2]), named(files[2], files[1], files[0]),
	} {
		roots, err := Reconstruct(of)
		if err != nil {
			t.Fatal(err)
		}
		if len(roots) != 4 {
			t.Fatalf("%d roots", len(roots))
		}
		for i, r := range roots {
			if r.ID != files[0].Keys[i].ID || !bytes.Equal(publicOf(t, r), files[0].Keys[i].PublicKey) {
				t.Errorf("key %s is not the one of its public key", r.ID)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", r, &r), fmt.Sprintf("%x", r.Secret.Expose()[:4])) {
				t.Error("a secret prints")
			}
			if r.Wipe(); len(r.Secret.Expose()) > 0 {
				t.Error("not wiped")
			}
		}
	}
}

// publicOf is the public key of a root's secret, by other libraries than the fleet's.
func publicOf(t *testing.T, r Root) []byte {
	t.Helper()
	if r.Suite == frost.Secp256k1TR {
		_, public := btcec.PrivKeyFromBytes(r.Secret.Expose())
		return public.SerializeCompressed()
	}
	s, err := edwards25519.NewScalar().SetCanonicalBytes(r.Secret.Expose())
	if err != nil {
		t.Fatal(err)
	}
	return edwards25519.NewIdentityPoint().ScalarBaseMult(s).Bytes()
}

// TestReconstructRefuses: by the names of the files at fault, and with what is wrong.
func TestReconstructRefuses(t *testing.T) {
	files := batches(t, "regtest", 2)
	changed := func(change func(*File)) []Named {
		other := clone(files[2])
		change(other)
		return named(files[0], other)
	}
	key := func(change func(*Key)) []Named { return changed(func(f *File) { change(&f.Keys[1]) }) }
	for name, test := range map[string]struct {
		of   []Named
		says string
	}{
		"nothing":            {nil, "no files"},
		"one":                {named(files[1]), "files of 1 of the 2 nodes that it takes"},
		"one twice":          {named(files[1], files[1]), "share-1.exit and share-1.exit are both of node 1"},
		"another network":    {changed(func(f *File) { f.Network = "mainnet" }), "the network is regtest in one and mainnet in"},
		"another fleet":      {changed(func(f *File) { f.Fleet = "other" }), "the fleet is test in one and other"},
		"another manifest":   {changed(func(f *File) { f.Manifest[0]++ }), "the manifest is 0102"},
		"another threshold":  {changed(func(f *File) { f.T = 3 }), "2 of 3 in one and 3 of 3"},
		"fewer keys":         {changed(func(f *File) { f.Keys = f.Keys[:3] }), "the number of keys is 4 in one and 3"},
		"another key":        {key(func(k *Key) { k.ID = strings.Repeat("f", 32) + ".0" }), "export the same keys"},
		"another generation": {key(func(k *Key) { k.Generation = 1 }), files[0].Keys[1].ID + " is 0 in one and 1"},
		"another owner":      {key(func(k *Key) { k.Owner = "thief" }), "what is public of key"},
		"another suite":      {key(func(k *Key) { k.Suite = frost.Ed25519 }), "what is public of key"},
		"another public key": {key(func(k *Key) { k.PublicKey = files[0].Keys[0].PublicKey }), "what is public of key"},
		"another chain code": {key(func(k *Key) { k.ChainCode[0]++ }), "what is public of key"},
		"other commitments":  {key(func(k *Key) { k.Commitments = files[0].Keys[0].Commitments }), "have other commitments to key"},
	} {
		roots, err := Reconstruct(test.of)
		if err == nil || roots != nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
		if len(test.of) == 2 && !strings.Contains(err.Error(), "share-") {
			t.Errorf("%s: %v names no file", name, err)
		}
	}

	// A share that is not the node's, with two others that are: t would be enough.
	for key := range files[0].Keys {
		wrong := clone(files[1])
		wrong.share(key)[3] ^= 1
		_, err := Reconstruct(named(files[0], wrong, files[2]))
		if !errors.Is(err, frost.ErrShare) || !strings.Contains(err.Error(), "share-1.exit, key "+files[0].Keys[key].ID) {
			t.Errorf("a wrong share of key %d: %v", key, err)
		}
	}
	// Files that agree on a key that their shares are not of.
	swapped := []*File{clone(files[0]), clone(files[1])}
	for _, f := range swapped {
		f.Keys[0].PublicKey = f.Keys[1].PublicKey
	}
	if _, err := Reconstruct(named(swapped...)); err == nil || !strings.Contains(err.Error(), "is not the first commitment") {
		t.Errorf("another public key: %v", err)
	}
}

// roots are whole keys: the first is of secp256k1, the last of Ed25519.
func roots(t testing.TB, network string) []Root {
	t.Helper()
	files := batches(t, network, 1)
	all, err := Reconstruct(named(files[0], files[1]))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDescriptors: the extended private key has the public one of the fleet's own
// descriptor, on every network, and so have its children.
func TestDescriptors(t *testing.T) {
	for network, v := range map[string]descriptor.Version{
		"mainnet": descriptor.Mainnet,
		"testnet": descriptor.Testnet, "signet": descriptor.Testnet, "regtest": descriptor.Testnet,
	} {
		for range 8 { // both parities
			r := roots(t, network)[0]
			for _, account := range []derive.Path{nil, {5}, {1, derive.MaxIndex}} {
				d, err := r.Descriptors(account)
				if err != nil {
					t.Fatal(err)
				}
				text := script(t, d.Both)
				text = strings.TrimSuffix(strings.TrimPrefix(text, "tr("), "/<0;1>/*)")
				key, steps, _ := strings.Cut(text, "/")
				if steps != account.String() || (d.Own == "") != (len(account) > 0) {
					t.Errorf("account %q: %+v", account, d)
				}
				if d.Own != "" && script(t, d.Own) != "tr("+key+")" {
					t.Errorf("%s and %s", d.Own, d.Both)
				}
				for i, text := range []string{d.Receive, d.Change} {
					if want := strings.Replace(script(t, d.Both), "<0;1>", fmt.Sprint(i), 1); script(t, text) != want {
						t.Errorf("chain %d is %s", i, text)
					}
				}
				private, err := hdkeychain.NewKeyFromString(key)
				if err != nil {
					t.Fatal(err)
				}
				params := &chaincfg.MainNetParams
				if v == descriptor.Testnet {
					params = &chaincfg.TestNet3Params
				}
				if !private.IsPrivate() || !private.IsForNet(params) || private.Depth() != 0 {
					t.Errorf("%s on %s", key[:4], network)
				}
				public, err := private.Neuter()
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range account {
					if public, err = public.Derive(i); err != nil {
						t.Fatal(err)
					}
				}
				if want, err := descriptor.Extend(v, r.Tree(), account); err != nil || public.String() != want.String() {
					t.Errorf("account %q: %s, want %s, %v", account, public, want, err)
				}
			}
		}
	}
	if _, err := (&roots(t, "regtest")[1]).Descriptors(nil); err == nil {
		t.Error("a descriptor of Ed25519")
	}
}

// script is a descriptor without its checksum, which is right.
func script(t *testing.T, text string) string {
	t.Helper()
	script, sum, _ := strings.Cut(text, "#")
	if want, err := descriptor.Checksum(script); err != nil || sum != want {
		t.Errorf("checksum %s, want %s, %v", sum, want, err)
	}
	return script
}

// TestSignEd25519: key and children sign what the standard library verifies, and one message
// twice has two nonces.
func TestSignEd25519(t *testing.T) {
	all := roots(t, "mainnet")
	r := all[1]
	for _, path := range []derive.Path{nil, {0}, {0, 17}, {1, 2, 3, 4, 5, 6, 7, derive.MaxIndex}} {
		child, err := r.Tree().Child(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 1, 32, 1232} {
			message := bytes.Repeat([]byte{7}, size)
			one, err := r.SignEd25519(rand.Reader, path, message)
			if err != nil || !ed25519.Verify(child.PublicKey, message, one) {
				t.Fatalf("%q: %x, %v", path, one, err)
			}
			two, err := r.SignEd25519(rand.Reader, path, message)
			if err != nil || bytes.Equal(one[:32], two[:32]) {
				t.Errorf("%q: one nonce twice, %v", path, err)
			}
		}
	}
	if _, err := all[0].SignEd25519(rand.Reader, nil, nil); err == nil {
		t.Error("signed with a key of secp256k1")
	}
	if _, err := r.SignEd25519(rand.Reader, make(derive.Path, 9), nil); !errors.Is(err, derive.ErrTooDeep) {
		t.Errorf("too deep: %v", err)
	}
	other := r
	other.Secret = secret.New(bytes.Clone(r.Secret.Expose()))
	other.Secret.Expose()[0] ^= 1
	if s, err := other.SignEd25519(rand.Reader, nil, nil); err == nil || s != nil {
		t.Errorf("signed with another key's secret: %v", err)
	}
}
