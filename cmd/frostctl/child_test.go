package main

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
)

var childCode = bytes.Repeat([]byte{7}, 32)

// bitcoinChild is a signature by the child 0/17 of the root G, made with other libraries.
func bitcoinChild(t *testing.T, message []byte) (xpub string, sig []byte) {
	one := append(make([]byte, 31), 1)
	k := hdkeychain.NewExtendedKey(chaincfg.TestNet3Params.HDPrivateKeyID[:], one, childCode, make([]byte, 4), 0, 0, true)
	public, err := k.Neuter()
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []uint32{0, 17} {
		if k, err = k.Derive(index); err != nil {
			t.Fatal(err)
		}
	}
	private, err := k.ECPrivKey()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := schnorr.Sign(txscript.TweakTaprootPrivKey(*private, nil), message)
	if err != nil {
		t.Fatal(err)
	}
	return public.String(), signed.Serialize()
}

// solanaChild is a signature by the child 0/17 of the base point.
func solanaChild(t *testing.T, message []byte) (root, sig []byte) {
	one := must(t)(edwards25519.NewScalar().SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...)))
	root = edwards25519.NewGeneratorPoint().Bytes()
	key := derive.Key{Suite: frost.Ed25519, PublicKey: root, ChainCode: [32]byte(childCode)}
	offsets, err := key.Offsets(derive.Path{0, 17})
	if err != nil {
		t.Fatal(err)
	}
	x := edwards25519.NewScalar().Set(one)
	for _, o := range offsets {
		x.Add(x, must(t)(edwards25519.NewScalar().SetCanonicalBytes(o[:])))
	}
	public := new(edwards25519.Point).ScalarBaseMult(x).Bytes()
	sum := sha512.Sum512(slices.Concat(root, public, message)) // R is G: the nonce is one
	c := must(t)(edwards25519.NewScalar().SetUniformBytes(sum[:]))
	return root, append(bytes.Clone(root), c.MultiplyAdd(c, x, one).Bytes()...)
}

func must(t *testing.T) func(*edwards25519.Scalar, error) *edwards25519.Scalar {
	return func(s *edwards25519.Scalar, err error) *edwards25519.Scalar {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// TestVerifyChild: a signature under a child verifies from its root and path, and under no other.
func TestVerifyChild(t *testing.T) {
	message := bytes.Repeat([]byte{5}, 32)
	xpub, sig := bitcoinChild(t, message)
	root, edSig := solanaChild(t, message)
	bitcoin := fmt.Sprintf("verify --chain bitcoin --message %x --signature %x", message, sig)
	solana := fmt.Sprintf("verify --chain solana --message %x --signature %x --public-key %x", message, edSig, root)
	code := " --chain-code " + hex.EncodeToString(childCode)
	for name, tt := range map[string]struct {
		args string
		code int
		says string
	}{
		"xpub":              {bitcoin + " --path 0/17 --xpub " + xpub, 0, ""},
		"key":               {bitcoin + " --path 0/17 --internal-key " + secpKeys[0] + code, 0, ""},
		"solana":            {solana + " --path 0/17" + code, 0, ""},
		"another path":      {bitcoin + " --path 0/18 --xpub " + xpub, 4, "does not verify"},
		"another of solana": {solana + " --path 0/18" + code, 4, "does not verify"},
		"the root":          {bitcoin + " --internal-key " + secpKeys[0], 4, "does not verify"},
		"no chain code":     {solana + " --path 0/17", 2, "--chain-code of 0 bytes"},
		"no path":           {solana + code, 2, "go with --path"},
		"a hardened path":   {bitcoin + " --path 0h/17 --xpub " + xpub, 2, "hardened"},
		"a bad xpub":        {bitcoin + " --path 0/17 --xpub x" + xpub, 2, "--xpub: "},
		"an x-only key":     {bitcoin + " --path 0 --internal-key " + secpKeys[0][2:] + code, 2, "of 32 bytes"},
		"xpub of solana":    {strings.Replace(bitcoin, "bitcoin", "solana", 1) + " --path 0 --xpub " + xpub, 2, "is for bitcoin"},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, code := call(t, "", strings.Fields(tt.args)...)
			if code != tt.code || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit code %d, %s; want %d, %q", code, stderr, tt.code, tt.says)
			}
		})
	}
}

// TestUnprovenAreLeftOut: the keys that a file lacks are named, and the others found.
func TestUnprovenAreLeftOut(t *testing.T) {
	bitcoin, _ := offline(t, "testnet")
	m, err := client.LoadManifest("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	missing := strings.Repeat("0", 32) + ".0"
	items := []client.SignItem{{Key: missing}, {Key: bitcoin[0].ID}, {Key: missing}}
	cmd := &cobra.Command{}
	var log bytes.Buffer
	cmd.SetErr(&log)
	absent, err := expectKeys(cmd, m, "bitcoin.jsonl", items)
	if err != nil || !slices.Equal(slices.Sorted(maps.Keys(absent)), []int{0, 2}) || len(items[1].PublicKey) != 33 {
		t.Fatalf("%v, %v, %+v", absent, err, items)
	}
	got := &client.SignResult{Signatures: []client.Signature{ // the first was refused
		{}, {Key: items[1].Key, Signature: make([]byte, 64)}, {Key: missing, Signature: make([]byte, 64)},
	}}
	err = leaveUnproven(cmd, got, absent)
	if err == nil || !strings.Contains(err.Error(), "1 of 3 signatures") || got.Signatures[1].Signature == nil ||
		got.Signatures[2].Signature != nil {
		t.Errorf("%v, %+v", err, got)
	}
	if says := log.String(); !strings.Contains(says, "item 2, key "+missing+": not verified: key") || strings.Contains(says, "item 0") {
		t.Errorf("says %q", says)
	}
}

// TestNullItems: a null is no path left out.
func TestNullItems(t *testing.T) {
	_, err := itemsOf(`{"key":"` + strings.Repeat("0", 32) + `.0","message":"00","path":null}`)
	if err == nil || !strings.Contains(err.Error(), `field "path" is null`) {
		t.Error(err)
	}
}
