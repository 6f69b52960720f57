package interop_test

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// btcdVectors are the lists of BIP 174 and BIP 371, by name, out of the tests of btcd's
// package psbt: the module that go.sum names comes with them.
func btcdVectors(t *testing.T) map[string][][]byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "github.com/btcsuite/btcd/btcutil/psbt")
	cmd.Dir = root
	dir := strings.TrimSpace(string(must(cmd.Output())))
	file := must(parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "psbt_test.go"), nil, 0))
	lists := map[string][][]byte{}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		list, ok := v.Values[0].(*ast.CompositeLit)
		if !ok || !strings.Contains(v.Names[0].Name, "alidPsbt") {
			return true
		}
		for _, e := range list.Elts {
			text := must(strconv.Unquote(e.(*ast.KeyValueExpr).Value.(*ast.BasicLit).Value))
			raw, err := hex.DecodeString(text)
			if err != nil {
				raw = must(base64.StdEncoding.DecodeString(text))
			}
			lists[v.Names[0].Name] = append(lists[v.Names[0].Name], raw)
		}
		return true
	})
	return lists
}

// judgedOtherwise are the vectors of which the reader thinks otherwise, and why.
var judgedOtherwise = map[string]string{
	"validPsbtHex 5":       intent.BadPSBT, // a field that BIP 370 has since given to version 2
	"validPsbtHex 6":       intent.BadPSBT, // the same
	"validPsbtHex 7":       intent.BadPSBT, // no inputs
	"invalidPsbtBase64 9":  intent.NoInput, // a control block of the script path, which no key of ours is on
	"invalidPsbtBase64 10": intent.NoInput, // the same
}

// TestPSBTVectors: what BIP 174 and 371 call invalid is no PSBT for the reader, and what they
// call valid is one, in which there is nothing to sign for a key of ours.
func TestPSBTVectors(t *testing.T) {
	t.Parallel()
	_, public := btcec.PrivKeyFromBytes([]byte{1})
	key := derive.Key{Suite: frost.Secp256k1TR, PublicKey: public.SerializeCompressed()}
	roots := []intent.Root{{ID: "root", Key: key}}
	lists := btcdVectors(t)
	for name, want := range map[string]string{
		"validPsbtHex": intent.NoInput, "validPsbtBase64": intent.NoInput,
		"invalidPsbtHex": intent.BadPSBT, "invalidPsbtBase64": intent.BadPSBT,
	} {
		if len(lists[name]) < 8 {
			t.Errorf("%s: %d vectors", name, len(lists[name]))
		}
		for i, raw := range lists[name] {
			want := cmp.Or(judgedOtherwise[fmt.Sprintf("%s %d", name, i)], want)
			_, refusal := tx.Read(tx.Request{Kind: intent.PSBT, Bytes: raw, Roots: roots}, "mainnet", derive.NewCache(1))
			if refusal == nil || refusal.Code != want {
				t.Errorf("%s, %d: %v, want %s\n%x", name, i, refusal, want, raw)
			}
		}
	}
}
