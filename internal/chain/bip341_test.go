package chain

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

const bip341File = "../../../shared/vectors/bip341/wallet-test-vectors.json"

// outputVector is a case of the list scriptPubKey in BIP 341's vectors.
type outputVector struct {
	Given struct {
		InternalPubkey string
	}
	Intermediary struct {
		MerkleRoot    *string
		TweakedPubkey string
	}
	Expected struct {
		Bip350Address string
	}
}

// Two cases of BIP 341's vectors (wallet-test-vectors.json in bitcoin/bips), without and
// with a script; all of them where ../shared has them.
var outputCore = []byte(`[
{"given": {"internalPubkey": "d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d"},
 "intermediary": {"merkleRoot": null,
  "tweakedPubkey": "53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343"},
 "expected": {"bip350Address": "bc1p2wsldez5mud2yam29q22wgfh9439spgduvct83k3pm50fcxa5dps59h4z5"}},
{"given": {"internalPubkey": "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27"},
 "intermediary": {"merkleRoot": "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
  "tweakedPubkey": "147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3"},
 "expected": {"bip350Address": "bc1pz37fc4cn9ah8anwm4xqqhvxygjf9rjf2resrw8h8w4tmvcs0863sa2e586"}}
]`)

func TestBIP341Core(t *testing.T) {
	var cases []outputVector
	if err := json.Unmarshal(outputCore, &cases); err != nil {
		t.Fatal(err)
	}
	testOutputs(t, cases)
}

func TestBIP341Vectors(t *testing.T) {
	b, err := os.ReadFile(bip341File)
	if os.IsNotExist(err) {
		t.Skip("no BIP 341 vectors at ../shared/vectors: only the two constants are checked")
	}
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ ScriptPubKey []outputVector }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.ScriptPubKey) < 7 {
		t.Fatalf("%d cases", len(file.ScriptPubKey))
	}
	testOutputs(t, file.ScriptPubKey)
}

func testOutputs(t *testing.T, cases []outputVector) {
	t.Helper()
	for _, c := range cases {
		tweak := frost.Tweak{Mode: frost.TweakBIP86}
		if c.Intermediary.MerkleRoot != nil {
			tweak = frost.Tweak{Mode: frost.TweakScriptRoot, Root: [32]byte(unhex(t, *c.Intermediary.MerkleRoot))}
		}
		for _, parity := range []byte{2, 3} { // the internal key's doesn't matter
			key := append([]byte{parity}, unhex(t, c.Given.InternalPubkey)...)
			out, err := frost.OutputKey(frost.Secp256k1TR, key, tweak)
			if err != nil || !bytes.Equal(out, unhex(t, c.Intermediary.TweakedPubkey)) {
				t.Fatalf("%x has output key %s, %v", key, hex.EncodeToString(out), err)
			}
			if address, err := P2TR("mainnet", [32]byte(out)); err != nil || address != c.Expected.Bip350Address {
				t.Errorf("%x has address %s, %v", key, address, err)
			}
		}
	}
}
