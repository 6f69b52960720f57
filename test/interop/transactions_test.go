package interop_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// transfer is a Solana transaction that a library makes of a question with its parts.
type transfer struct {
	V0       bool   `json:"v0"`
	Table    string `json:"table,omitempty"` // lookup table that has the payee
	Units    uint64 `json:"units,omitempty"`
	Mint     string `json:"mint,omitempty"` // of tokens; empty: lamports
	Program  string `json:"program,omitempty"`
	Decimals uint8  `json:"decimals"`

	Transaction string `json:"transaction,omitempty"` // base64
	Unsigned    string `json:"unsigned,omitempty"`
}

// The programs of tokens.
const (
	classic   = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
	token2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
)

// transferKind is a kind of transaction.
type transferKind struct {
	name            string
	v0, table       bool
	other, otherWas bool // somebody else pays the fee, and has signed before
	program         string
}

var transferKinds = []transferKind{
	{name: "legacy"},
	{name: "v0", v0: true},
	{name: "v0 with a lookup table", v0: true, table: true},
	{name: "two signers, the fleet's last", other: true, otherWas: true},
	{name: "two signers, the fleet's first", v0: true, other: true},
	{name: "SPL TransferChecked", program: classic},
	{name: "SPL TransferChecked, v0", v0: true, other: true, otherWas: true, program: classic},
	{name: "Token-2022 TransferChecked", v0: true, program: token2022},
}

// transferOf has a library make a transaction that a child of the key signs.
func (f *fleet) transferOf(t *testing.T, maker *program, kind transferKind) (question, client.Key) {
	t.Helper()
	k := f.key(wire.Solana)
	a := must(must(k.Account()).Address(client.Branch(f.random.IntN(2)), f.index(1)))
	key := func() string { return base58.Encode(f.bytes(32)) }
	q := f.question(k, "")
	q.Ask, q.Path, q.Address, q.Blockhash = "transaction", a.Path, a.Address, key()
	for q.To = q.Address; q.To == q.Address; { // who pays himself shows no balance that changes
		q.To = must(must(f.key(wire.Solana).Account()).Address(client.Receive, f.index(1))).Address
	}
	q.V0, q.Units, q.Program = kind.v0, 2_000_000+f.random.Uint64N(1_000_000_000), kind.program
	if kind.table {
		q.Table = key()
	}
	if kind.other {
		q.Secret = hex.EncodeToString(f.bytes(32))
	}
	if kind.program != "" {
		q.Mint, q.Decimals = key(), uint8(f.random.IntN(10))
	}
	q.Transaction = maker.good(t, q).Transaction
	q.Unsigned = q.Transaction
	return q, k
}

// signTransaction has the fleet sign, and whoever signs beside it.
func (f *fleet) signTransaction(t *testing.T, other *program, q *question, k client.Key, kind transferKind) {
	t.Helper()
	cosign := func() {
		q.Ask = "cosign"
		q.Transaction = other.good(t, *q).Transaction
	}
	if kind.otherWas {
		cosign()
	}
	out := f.run(t, q.Transaction, "sign", "transaction", "-", "--keys", f.files[wire.Solana], "--key", k.ID+"/"+q.Path,
		"--json")
	var signed struct{ Transaction string }
	if err := json.Unmarshal([]byte(out), &signed); err != nil {
		t.Fatal(err)
	}
	q.Transaction = signed.Transaction
	if kind.other && !kind.otherWas {
		cosign()
	}
	q.Ask = "landed"
}

// testTransactions: what a library makes and the fleet signs, all libraries verify, and the
// runtime executes.
func (f *fleet) testTransactions(t *testing.T, all programs, first, cases int) {
	libraries := all.of(wire.Solana)
	for i := range cases * len(transferKinds) / 2 {
		for j, maker := range libraries {
			kind := transferKinds[(first+2*i+j)%len(transferKinds)]
			q, k := f.transferOf(t, maker, kind)
			f.signTransaction(t, libraries[(i+j)%2], &q, k, kind)
			t.Logf("%s by %s", kind.name, maker.name)
			libraries.agree(t, q)
		}
	}
}

// transactionMistakes are small ones in a transaction that the fleet has signed: a place, from
// the front or from the end.
var transactionMistakes = map[string]int{
	"one bit of R": 1 + 7, "one bit of s": 1 + 32 + 7, "another blockhash": -20 - 10,
	"another is paid": 1 + 64 + 4 + 32 + 5, "more lamports": -8,
}

// testWrongTransactions: each library notices.
func (f *fleet) testWrongTransactions(t *testing.T, all programs) {
	libraries := all.of(wire.Solana)
	q, k := f.transferOf(t, libraries[0], transferKinds[0])
	f.signTransaction(t, nil, &q, k, transferKinds[0])
	libraries.agree(t, q)
	elsewhere, other := f.transferOf(t, libraries[0], transferKinds[0])
	f.signTransaction(t, nil, &elsewhere, other, transferKinds[0])
	swapped := q
	mine := must(base64.StdEncoding.DecodeString(q.Transaction))
	others := must(base64.StdEncoding.DecodeString(elsewhere.Transaction))
	swapped.Transaction = base64.StdEncoding.EncodeToString(append(others[:65:65], mine[65:]...))
	bad := map[string]question{"a signature under another child": swapped}
	for name, at := range transactionMistakes {
		change := func(text string) string {
			raw := must(base64.StdEncoding.DecodeString(text))
			raw[(at+len(raw))%len(raw)] ^= 4
			return base64.StdEncoding.EncodeToString(raw)
		}
		b := q
		b.Transaction, b.Unsigned = change(q.Transaction), change(q.Unsigned) // so that no difference gives it away
		bad[name] = b
	}
	for name, b := range bad {
		for _, p := range libraries {
			if a := p.ask(t, b); len(a.Wrong) == 0 {
				t.Errorf("%s notices nothing: %s", p.name, name)
			}
		}
	}
}
