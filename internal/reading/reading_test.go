package reading

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func rendered(t testing.TB, m Request) string {
	t.Helper()
	var b bytes.Buffer
	if err := m.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var shownRoots = []intent.Root{{ID: "aa.0"}, {ID: "bb.1"}}

// TestRenderIntent: what an approver reads, of each kind.
func TestRenderIntent(t *testing.T) {
	bitcoin := Request{Network: "regtest", Roots: shownRoots, Replaces: "0198", Intent: &intent.Intent{
		Kind: intent.PSBT, ID: "5f2a",
		Signatures: []intent.Signature{
			{At: 0, Path: derive.Path{0, 17}, Sighash: "default", Amount: 100_000},
			{At: 2, Root: 1, Sighash: "none|anyonecanpay", Amount: 2_100_000_000_000_000},
		},
		Payments: []intent.Payment{
			{At: 0, To: "bcrt1qpayee", Amount: intent.Amount{Asset: intent.Bitcoin, Units: 50_000}},
			{At: 2, To: "script:6a00", Amount: intent.Amount{Asset: intent.Bitcoin}},
		},
		Change:  []intent.Change{{At: 1, To: "bcrt1pchange", Path: derive.Path{1, 3}, Units: 48_000}},
		Outflow: []intent.Amount{{Asset: intent.Bitcoin, Units: 100_000}},
		Fee:     2_000, VSize: 333, Foreign: 1,
		Unclear: []intent.Refusal{{Code: intent.NotUnderstood, At: 2, Reason: "it says nothing that is known"}},
		Refused: []intent.Refusal{{Code: intent.MissingAmount, At: 3, Reason: "input 3 has no amount"}},
	}}
	want := `
Bitcoin transaction (PSBT) 5f2a on regtest
  spends      input 0  0.00100000 BTC of key aa.0 at 0/17
              input 2  21000000.00000000 BTC of key bb.1, sighash none|anyonecanpay: ` +
		`OTHERS MAY CHANGE WHAT IT DOES NOT COVER
              1 more input of others
  pays        output 0  0.00050000 BTC to bcrt1qpayee
              output 2  0.00000000 BTC to script:6a00
  change      output 1  0.00048000 BTC to bcrt1pchange, which is key aa.0 at 1/3
  fee         0.00002000 BTC, 6.0 sat/vB (333 vB)
  in all      at most 0.00100000 BTC, with fee and change
  replaces    job 0198, whose fee it bumps
  NOT CLEAR   output 2: it says nothing that is known (not_understood)
  NOT SIGNED  input 3 has no amount (missing_amount)
`
	if got := "\n" + rendered(t, bitcoin); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	solana := Request{Network: "regtest", Roots: shownRoots, Intent: &intent.Intent{
		Kind: intent.SolanaTransaction, ID: "77",
		Signatures: []intent.Signature{{At: 0, Path: derive.Path{0, 1}, PublicKey: make([]byte, 32)}},
		Payments: []intent.Payment{
			{At: 1, To: "payee", Amount: intent.Amount{Asset: intent.Solana, Units: 1_500_000_000}},
			{At: 2, To: "payee", Amount: intent.Amount{Asset: "spl:mint", Units: 7}, Decimals: 6},
		},
		Outflow: []intent.Amount{{Asset: intent.Solana, Units: 1_500_005_000}, {Asset: "spl:mint", Units: 7}},
		Fee:     5_000, Programs: []string{"11111111111111111111111111111111"}, Nonce: "nonce",
		Unclear: []intent.Refusal{{Code: intent.NotUnderstood, At: -1, Reason: "it has lookup tables"}},
	}}
	want = `
Solana transaction 77 on regtest
  signs      signer 0       key aa.0 at 0/1  address 11111111111111111111111111111111
  pays       instruction 1  1.500000000 SOL to payee
             instruction 2  0.000007 (7 smallest units of token mint) to payee
  fee        0.000005000 SOL
  in all     at most 1.500005000 SOL, with the fee
             at most 7 smallest units of token mint
  calls      program 11111111111111111111111111111111
  nonce      of account nonce: it does not expire with a blockhash
  NOT CLEAR  it has lookup tables (not_understood)
`
	if got := "\n" + rendered(t, solana); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	message := Request{Network: "regtest", Roots: shownRoots, Intent: &intent.Intent{
		Kind: intent.BitcoinMessage, ID: "88", Text: "I own this\nand \u202esaht\x1b[2J\xff",
		Signatures: []intent.Signature{{PublicKey: []byte{0xab}}},
	}}
	want = `
Bitcoin message (BIP 322) 88 on regtest
  signs  key aa.0  output key ab
  text   "I own this"
         "and \u202esaht\x1b[2J\xff"
`
	if got := "\n" + rendered(t, message); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// hostile is an intent of which every text is one that a terminal would act on.
func hostile(bad string) Request {
	refusals := []intent.Refusal{{Code: bad, Reason: bad}}
	return Request{Network: bad, Roots: []intent.Root{{ID: bad}}, Replaces: bad, Intent: &intent.Intent{
		Kind: intent.PSBT, ID: bad, Signatures: []intent.Signature{{Sighash: bad, Path: derive.Path{1}}},
		Payments: []intent.Payment{{To: bad, Amount: intent.Amount{Asset: bad, Units: math.MaxUint64}}},
		Change:   []intent.Change{{To: bad, Root: 7}}, Outflow: []intent.Amount{{Asset: bad}}, Spends: []string{bad},
		Fee: math.MaxUint64, VSize: 1, Programs: []string{bad}, Nonce: bad, Text: bad, Unclear: refusals, Refused: refusals,
	}}
}

// FuzzRenderIntent: whatever is in a request, the terminal gets text, and no line that a
// stranger wrote looks like one of ours.
func FuzzRenderIntent(f *testing.F) {
	f.Add("x\x1b[2J\r\n\tfee  0.00000001 BTC\u009b\u202e\u200b\u2028\xff")
	f.Add("bcrt1qpayee")
	lines := strings.Count(rendered(f, hostile("x")), "\n")
	f.Fuzz(func(t *testing.T, bad string) {
		m := hostile(bad)
		m.Text = "x"
		text := rendered(t, m)
		if got := strings.Count(text, "\n"); got > lines { // fewer, without a nonce
			t.Errorf("%d lines, want %d:\n%q", got, lines, text)
		}
		for _, r := range text {
			if r != '\n' && (r < ' ' || r >= 0x7f && r <= 0xa0 || r >= 0x2000 && r <= 0x200f || r >= 0x2028 && r <= 0x202f) {
				t.Errorf("%U in %q", r, text)
			}
		}
	})
}

func TestMoney(t *testing.T) {
	for want, a := range map[string]intent.Amount{
		"0.00000001 BTC":                      {Asset: intent.Bitcoin, Units: 1},
		"184467440737.09551615 BTC":           {Asset: intent.Bitcoin, Units: math.MaxUint64},
		"0.000000000 SOL":                     {Asset: intent.Solana},
		"12 smallest units of token So111":    {Asset: "spl:So111", Units: 12},
		"12 smallest units of token not spl:": {Asset: "not spl:", Units: 12},
	} {
		if got := money(a); got != want {
			t.Errorf("%+v: %q, want %q", a, got, want)
		}
	}
	for _, tt := range []struct {
		n, units uint64
		want     string
	}{{200, 100, "2.0"}, {199, 100, "1.9"}, {0, 1, "0.0"}, {math.MaxUint64, 1, "18446744073709551615"},
		{math.MaxUint64, 11, "1676976733973595601.3"}} {
		if got := perUnit(tt.n, tt.units); got != tt.want {
			t.Errorf("%d per %d: %s, want %s", tt.n, tt.units, got, tt.want)
		}
	}
}

// TestIntentLine: with --json nothing is left out, and no list is null.
func TestIntentLine(t *testing.T) {
	text, err := json.Marshal(Request{Intent: &intent.Intent{}}.JSON())
	if err != nil || strings.Contains(string(text), "null") {
		t.Errorf("%s, %v", text, err)
	}
	text, err = json.Marshal(hostile("marked").JSON())
	fields := reflect.TypeFor[intent.Intent]().NumField()
	if got := reflect.TypeFor[Meaning]().NumField(); err != nil || got != fields+2 { // and the network, and replaces
		t.Errorf("%d fields of %d, %v", got, fields, err)
	}
	if got := strings.Count(string(text), "marked"); got < 14 {
		t.Errorf("%d texts in %s", got, text)
	}
}

// TestOf: a job of the wire is read as nodes read it; a key that is not here, or of another
// suite, leaves it unread.
func TestOf(t *testing.T) {
	key := derive.Key{Suite: frost.Secp256k1TR, PublicKey: bytes.Repeat([]byte{2}, 33)}
	find := func(id string) (derive.Key, error) {
		if id != shownRoots[0].ID {
			return derive.Key{}, errors.New("this gateway does not know it")
		}
		return key, nil
	}
	text, path := "I own this", "0/17"
	job := func(id string, path *string) *wire.Job {
		return &wire.Job{Kind: wire.KindSign, SolanaMessage: &text, Keys: []wire.SignKey{{Key: id, Path: path}}}
	}
	for want, j := range map[string]*wire.Job{
		"key bb.1: this gateway does not know it": job("bb.1", nil),
		"key aa.0 is of suite":                    job("aa.0", nil),
	} {
		if _, err := Of("regtest", j, find); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	seed := ed25519.NewKeyFromSeed(make([]byte, 32))
	key = derive.Key{Suite: frost.Ed25519, PublicKey: seed.Public().(ed25519.PublicKey)}
	r, err := Of("regtest", job("aa.0", &path), find)
	if err != nil || r.Kind != intent.SolanaMessage || r.Text != text || r.Roots[0].Path.String() != path {
		t.Errorf("%+v, %v", r, err)
	}
	raw := &wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{{Key: "bb.1", Message: []byte{0xab, 0xcd}}}}
	if r, err = Of("regtest", raw, find); err != nil {
		t.Fatal(err)
	}
	want := "Messages that nobody can read on regtest\n  signs  item 0  key bb.1  message abcd\n"
	if got := rendered(t, r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if m := r.JSON(); len(m.Signatures) != 1 || !bytes.Equal(m.Signatures[0].Message, []byte{0xab, 0xcd}) {
		t.Errorf("%+v", m)
	}
}
