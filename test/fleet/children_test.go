package fleet_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// TestChildren: one job signs under children of several roots, and under the roots.
// The children are derived here by other libraries than the fleet's and the client's.
func TestChildren(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{})
	cfg, err := client.Load(filepath.Join(f.Dir, "client.toml"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, chain := range []string{"bitcoin", "solana"} {
		t.Run(chain, func(t *testing.T) {
			keys, err := c.Keygen(t.Context(), client.KeygenRequest{Chain: chain, Count: 3})
			if err != nil {
				t.Fatal(err)
			}
			var items []client.SignItem
			for i, path := range []string{"", "0", "0/17", "0/17", "1/0", "2147483647", "1/2/3/4/5/6/7/8", "0/17", ""} {
				k := keys.Keys[i%3]
				it := client.SignItem{Key: k.ID, Path: path, PublicKey: k.PublicKey, ChainCode: k.ChainCode,
					Message: bytes.Repeat([]byte{byte(i)}, 32)}
				if chain == "bitcoin" && i%4 == 3 {
					it.ScriptRoot = bytes.Repeat([]byte{7}, 32)
				}
				items = append(items, it)
			}
			got, err := c.Sign(t.Context(), client.SignRequest{Items: items})
			if err != nil {
				t.Fatal(err)
			}
			for i, sig := range got.Signatures {
				if sig.Path != items[i].Path {
					t.Errorf("item %d: signed at path %q, want %q", i, sig.Path, items[i].Path)
				}
				if err := verifyChild(items[i], sig.Signature); err != nil {
					t.Errorf("item %d, path %q: %v", i, items[i].Path, err)
				}
			}
			// A wrong root, or a wrong path, does not verify: the check sees the child.
			if verifyChild(items[3], got.Signatures[2].Signature) == nil ||
				verifyChild(items[0], got.Signatures[1].Signature) == nil {
				t.Error("the check of this test takes anything")
			}
		})
	}
}

func verifyChild(it client.SignItem, signature []byte) error {
	var path []uint32
	for step := range strings.SplitSeq(it.Path, "/") {
		if i, err := strconv.ParseUint(step, 10, 31); err == nil {
			path = append(path, uint32(i))
		}
	}
	if len(it.PublicKey) == 33 {
		return verifyTaprootChild(it, path, signature)
	}
	public, chain := it.PublicKey, it.ChainCode
	for _, index := range path {
		hash := func(tag string) []byte {
			mac := hmac.New(sha512.New, chain)
			mac.Write([]byte(tag))
			mac.Write(public)
			mac.Write(binary.BigEndian.AppendUint32(nil, index))
			return mac.Sum(nil)
		}
		offset, err := new(edwards25519.Scalar).SetUniformBytes(hash("frostfleet/ed25519-child/v1"))
		if err != nil {
			return err
		}
		p, err := new(edwards25519.Point).SetBytes(public)
		if err != nil {
			return err
		}
		next := hash("frostfleet/ed25519-chaincode/v1")[:32]
		public, chain = p.Add(p, new(edwards25519.Point).ScalarBaseMult(offset)).Bytes(), next
	}
	if !ed25519.Verify(public, it.Message, signature) {
		return fmt.Errorf("crypto/ed25519 refuses the signature under %x", public)
	}
	return nil
}

func verifyTaprootChild(it client.SignItem, path []uint32, signature []byte) error {
	key := hdkeychain.NewExtendedKey(chaincfg.RegressionNetParams.HDPublicKeyID[:], it.PublicKey, it.ChainCode,
		make([]byte, 4), 0, 0, false)
	var err error
	for _, index := range path {
		if key, err = key.Derive(index); err != nil {
			return err
		}
	}
	internal, err := key.ECPubKey()
	if err != nil {
		return err
	}
	output := txscript.ComputeTaprootKeyNoScript(internal)
	if it.ScriptRoot != nil {
		output = txscript.ComputeTaprootOutputKey(internal, it.ScriptRoot)
	}
	sig, err := schnorr.ParseSignature(signature)
	if err != nil {
		return err
	}
	if !sig.Verify(it.Message, output) {
		return fmt.Errorf("btcd refuses the signature under %x", schnorr.SerializePubKey(output))
	}
	return nil
}
