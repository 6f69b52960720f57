package interop_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
)

// testBIP386: scripts of tr() descriptors. Ours come of the parts of each, as this test
// reads them: the project itself reads one form of descriptor only.
func testBIP386(t *testing.T, all programs) {
	v := vectors[struct {
		Valid []struct {
			Descriptor string
			Scripts    []string
		}
	}](t, "bip386.json")
	scripts := 0
	for _, c := range v.Valid {
		for i, want := range c.Scripts {
			inner := strings.TrimSuffix(strings.TrimPrefix(c.Descriptor, "tr("), ")")
			key, tree, _ := strings.Cut(inner, ",")
			var root []byte
			if tree != "" {
				root = treeRoot(tree, uint32(i))
			}
			if got := outputScript(keyAt(key, uint32(i)), root); got != want {
				t.Errorf("%d of %s: %s, want %s", i, c.Descriptor, got, want)
			}
			all.agree(t, question{
				Ask: "output", Network: "mainnet", Descriptor: c.Descriptor, Index: i, Script: want,
			})
			scripts++
		}
	}
	if scripts != 7 {
		t.Errorf("%d scripts", scripts)
	}
}

// keyAt is the key of a descriptor's key expression, the * standing for index.
func keyAt(expression string, index uint32) []byte {
	key, steps, _ := strings.Cut(expression, "/")
	if b, err := hex.DecodeString(key); err == nil {
		if len(b) == 32 {
			b = append([]byte{2}, b...)
		}
		return b
	}
	if wif, err := btcutil.DecodeWIF(key); err == nil {
		return wif.PrivKey.PubKey().SerializeCompressed()
	}
	public := must(must(hdkeychain.NewKeyFromString(key)).Neuter())
	var path derive.Path
	if steps != "" {
		path = must(derive.ParsePath(strings.Replace(steps, "*", derive.Path{index}.String(), 1)))
	}
	return must(must(descriptor.ParseExtendedKey(public.String())).Key().Child(path)).PublicKey
}

// treeRoot is the Merkle root of a tree expression whose leaves are pk(KEY).
func treeRoot(tree string, index uint32) []byte {
	inner, ok := strings.CutPrefix(tree, "{")
	if !ok {
		key := keyAt(strings.TrimSuffix(strings.TrimPrefix(tree, "pk("), ")"), index)
		script := append(append([]byte{txscript.OP_DATA_32}, key[1:]...), txscript.OP_CHECKSIG)
		hash := txscript.NewBaseTapLeaf(script).TapHash()
		return hash[:]
	}
	inner = strings.TrimSuffix(inner, "}")
	depth, at := 0, 0
	for at = range inner { // the comma that is in no braces
		if depth == 0 && inner[at] == ',' {
			break
		}
		depth += strings.Count(inner[at:at+1], "{") - strings.Count(inner[at:at+1], "}")
	}
	left, right := treeRoot(inner[:at], index), treeRoot(inner[at+1:], index)
	if string(left) > string(right) {
		left, right = right, left
	}
	hash := chainhash.TaggedHash(chainhash.TagTapBranch, left, right)
	return hash[:]
}
