package interop_test

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signatures is how many of each chain a fleet makes.
const signatures = 20

// bytes draws n.
func (f *fleet) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.random.Uint32())
	}
	return b
}

// signed are questions about good signatures, by frostctl sign: of bitcoin children
// and roots with and without scripts, and of transactions that a Solana child pays.
func (f *fleet) signed(t *testing.T, all programs, chain string) (questions []question) {
	t.Helper()
	var items strings.Builder
	for i := range signatures {
		k := f.key(chain)
		q := f.question(k, "")
		q.Ask = "signature"
		if chain == wire.Bitcoin {
			q.Path, q.Message = f.path(derive.MaxDepth), hex.EncodeToString(f.bytes(32))
			if i%2 == 1 {
				q.ScriptRoot = hex.EncodeToString(f.bytes(32))
			}
		} else {
			f.transaction(t, all, &q, k)
		}
		item := map[string]string{"key": k.ID, "message": q.Message}
		for name, value := range map[string]string{"path": q.Path, "script_root": q.ScriptRoot} {
			if value != "" {
				item[name] = value
			}
		}
		items.Write(append(must(json.Marshal(item)), '\n'))
		questions = append(questions, q)
	}
	out := f.run(t, items.String(), "sign", "--keys", f.files[chain], "--file", "-", "--json")
	decoder := json.NewDecoder(strings.NewReader(out))
	for i := range questions {
		var line struct{ Path, Signature string }
		if err := decoder.Decode(&line); err != nil || line.Path != questions[i].Path {
			t.Fatalf("signature %d: %v in\n%s", i, err, out)
		}
		questions[i].Signature = line.Signature
	}
	return questions
}

// transaction has a library make the transaction that a child of k is to sign.
func (f *fleet) transaction(t *testing.T, all programs, q *question, k client.Key) {
	t.Helper()
	a := must(must(k.Account()).Address(client.Branch(f.random.IntN(2)), f.index(1)))
	q.Path, q.Address, q.To = a.Path, a.Address, f.key(wire.Solana).Address
	q.Blockhash = base58.Encode(f.bytes(32))
	some := all.of(wire.Solana)
	ask := *q
	ask.Ask = "message"
	maker := some[f.random.IntN(len(some))].ask(t, ask)
	if q.Message = maker.Message; q.Message == "" {
		t.Fatalf("no transaction: %q", maker.Wrong)
	}
}

// testSignatures: what the fleet signs under children is good for all libraries.
func (f *fleet) testSignatures(t *testing.T, all programs) {
	for _, chain := range chains {
		all.of(chain).signing().agree(t, f.signed(t, all, chain)...)
	}
}
