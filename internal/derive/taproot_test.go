package derive

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// BIP 386's vector with children: tr(K/0/*,pk(K/1/*)), a child under a script that
// pays to another child, at indexes 0, 1 and 2. K is BIP 32's vector 2,
// m/0/2147483647'/1/2147483646', whose private key stands there.
func TestBIP386Vectors(t *testing.T) {
	root := extended(t, vectors[5].parent)
	for i, want := range []string{
		"512078bc707124daa551b65af74de2ec128b7525e10f374dc67b64e00ce0ab8b3e12",
		"512001f0a02a17808c20134b78faab80ef93ffba82261ccef0a2314f5d62b6438f11",
		"512021024954fcec88237a9386fce80ef2ced5f1e91b422b26c59ccfc174c8d1ad25",
	} {
		internal, err := root.Child(Path{0, uint32(i)})
		if err != nil {
			t.Fatal(err)
		}
		other, err := root.Child(Path{1, uint32(i)})
		if err != nil {
			t.Fatal(err)
		}
		script := append(append([]byte{txscript.OP_DATA_32}, other.PublicKey[1:]...), txscript.OP_CHECKSIG)
		leaf := txscript.NewBaseTapLeaf(script).TapHash()
		out, err := frost.OutputKey(frost.Secp256k1TR, internal.PublicKey,
			frost.Tweak{Mode: frost.TweakScriptRoot, Root: leaf})
		if err != nil || "5120"+hex.EncodeToString(out) != want {
			t.Errorf("index %d: %x, %v", i, out, err)
		}
	}
	// tr(KEY), whose key the vectors give in hexadecimal and in WIF.
	key, err := hex.DecodeString("02a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd")
	if err != nil {
		t.Fatal(err)
	}
	out, err := frost.OutputKey(frost.Secp256k1TR, key, frost.Tweak{Mode: frost.TweakBIP86})
	if err != nil || hex.EncodeToString(out) != "77aab6e066f8a7419c5ab714c12c67d25007ed55a43cadcacb4d7a970a093f11" {
		t.Errorf("%x, %v", out, err)
	}
}

// Internal keys of both parities, and a run with one that is no key.
func TestTapTweakAll(t *testing.T) {
	var points []vartime.Point
	parities := map[bool]int{}
	var want [][]byte
	for i := range byte(20) {
		_, public := btcec.PrivKeyFromBytes([]byte{i + 1})
		p, ok := vartime.LiftX((*[32]byte)(schnorr.SerializePubKey(public)), public.SerializeCompressed()[0] == 3)
		if !ok {
			t.Fatal(i)
		}
		parities[p.YIsOdd()]++
		points = append(points, p)
		want = append(want, schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(public)))
	}
	if len(parities) != 2 {
		t.Fatal("keys of one parity")
	}
	if err := tapTweakAll(points, 0); err != nil {
		t.Fatal(err)
	}
	for i := range points {
		if x := points[i].X(); hex.EncodeToString(x[:]) != hex.EncodeToString(want[i]) {
			t.Errorf("key %d: %x, want %x", i, x, want[i])
		}
	}
	if err := proper(append(points, vartime.Point{}), 100); !errors.Is(err, ErrInvalidChild) {
		t.Errorf("the identity: %v", err)
	}
}
