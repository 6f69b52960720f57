package interop_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// vectors reads a file of testdata, which names the document that it is of.
func vectors[V any](t *testing.T, name string) (v V) {
	t.Helper()
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join("testdata", name))), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestBIP32: all extended public keys are read and written, those that follow from
// another without a secret are derived, and invalid ones are refused.
func TestBIP32(t *testing.T) {
	v := vectors[struct {
		Valid   [][]struct{ Path, Xpub string }
		Invalid []struct{ Key, Why string }
	}](t, "bip32.json")
	derived := 0
	for _, tree := range v.Valid {
		for i, child := range tree {
			k, err := descriptor.ParseExtendedKey(child.Xpub)
			if err != nil || k.String() != child.Xpub {
				t.Errorf("%s is read as %s, %v", child.Xpub, k, err)
			}
			for _, parent := range tree[:i] {
				path, err := derive.ParsePath(strings.TrimPrefix(child.Path, parent.Path+"/"))
				if errors.Is(err, derive.ErrHardened) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				got, err := must(descriptor.ParseExtendedKey(parent.Xpub)).Key().Child(path)
				want := k.Key()
				if err != nil || got.ChainCode != want.ChainCode || !bytes.Equal(got.PublicKey, want.PublicKey) {
					t.Errorf("%s from %s: %x, %v", child.Path, parent.Path, got, err)
				}
				derived++
			}
		}
	}
	for _, bad := range v.Invalid {
		if k, err := descriptor.ParseExtendedKey(bad.Key); !errors.Is(err, descriptor.ErrExtendedKey) {
			t.Errorf("%s (%s) is %s, %v", bad.Key, bad.Why, k, err)
		}
	}
	if len(v.Valid) != 4 || derived != 7 || len(v.Invalid) != 16 {
		t.Errorf("%d trees, %d children, %d invalid keys", len(v.Valid), derived, len(v.Invalid))
	}
}

// testBIP86: addresses of an account, by us and by the libraries.
func testBIP86(t *testing.T, all programs) {
	v := vectors[struct {
		Xpub      string
		Addresses []struct{ Path, Script, Address string }
	}](t, "bip86.json")
	account := must(descriptor.ParseExtendedKey(v.Xpub)).Key()
	for _, a := range v.Addresses {
		path := must(derive.ParsePath(a.Path))
		got, err := chain.Children(wire.Bitcoin, "mainnet", must(derive.NewBranch(account, path[:1])), path[1], 1)
		if err != nil || got[0] != a.Address {
			t.Errorf("%s: %s, %v", a.Path, got, err)
		}
		all.agree(t, question{
			Ask: "output", Network: "mainnet", Xpub: v.Xpub, Path: a.Path, Script: a.Script,
			Descriptor: "tr(" + v.Xpub + strings.Replace("/0/*)", "0", path[:1].String(), 1), Index: int(path[1]),
		})
	}
	if len(v.Addresses) != 3 {
		t.Errorf("%d addresses", len(v.Addresses))
	}
}

// testBIP341: output keys with and without scripts. The document's file is not copied here.
func testBIP341(t *testing.T) {
	text, err := os.ReadFile(root + "/../shared/vectors/bip341/wallet-test-vectors.json")
	if os.IsNotExist(err) {
		t.Skip("no BIP 341 vectors at ../shared/vectors: two of them are in internal/chain")
	}
	var v struct {
		ScriptPubKey []struct {
			Given        struct{ InternalPubkey string }
			Intermediary struct{ MerkleRoot *string }
			Expected     struct{ ScriptPubKey string }
		}
	}
	if err != nil || json.Unmarshal(text, &v) != nil || len(v.ScriptPubKey) != 7 {
		t.Fatalf("%d vectors, %v", len(v.ScriptPubKey), err)
	}
	for _, c := range v.ScriptPubKey {
		var scripts []byte
		if c.Intermediary.MerkleRoot != nil {
			scripts = must(hex.DecodeString(*c.Intermediary.MerkleRoot))
		}
		got := outputScript(must(hex.DecodeString("02"+c.Given.InternalPubkey)), scripts)
		if got != c.Expected.ScriptPubKey {
			t.Errorf("%s: %s, want %s", c.Given.InternalPubkey, got, c.Expected.ScriptPubKey)
		}
	}
}

// outputScript is the script that pays to a key, or to it and scripts with this root.
func outputScript(internal, scripts []byte) string {
	tweak := frost.Tweak{Mode: frost.TweakBIP86}
	if scripts != nil {
		tweak = frost.Tweak{Mode: frost.TweakScriptRoot, Root: [32]byte(scripts)}
	}
	return "5120" + hex.EncodeToString(must(frost.OutputKey(frost.Secp256k1TR, internal, tweak)))
}
