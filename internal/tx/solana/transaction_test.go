package solana

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// What web3.js makes means what it was told to do.
func TestWeb3js(t *testing.T) {
	t.Parallel()
	transactions, names := web3js(t)
	sol := func(units uint64) intent.Amount { return intent.Amount{Asset: "sol", Units: units} }
	spl := func(units uint64) intent.Amount { return intent.Amount{Asset: "spl:" + names["mint"], Units: units} }
	to := names["payee"]
	const system, token2022 = systemID, Token2022Program
	for what, want := range map[string]intent.Intent{
		"legacy transfer": {
			Payments: []intent.Payment{{To: to, Amount: sol(1_500_000_000)}},
			Outflow:  []intent.Amount{sol(1_500_005_000)}, Fee: 5000, Programs: []string{system}},
		"v0 transfer with priority fee": { // 30,001 units at 0.05 lamports
			Payments: []intent.Payment{{At: 2, To: to, Amount: sol(7)}},
			Outflow:  []intent.Amount{sol(6508)}, Fee: 5000 + 1501, Programs: []string{budgetID, system}},
		"two signers, one signed": { // the other pays the fee
			Payments: []intent.Payment{{To: to, Amount: sol(12)}},
			Outflow:  []intent.Amount{sol(12)}, Foreign: 1, Programs: []string{system}},
		"spl token, to an account": {
			Payments: []intent.Payment{{To: "account:" + names["ata"], Amount: spl(2_500_000), Decimals: 6}},
			Outflow:  []intent.Amount{spl(2_500_000), sol(5000)}, Fee: 5000, Programs: []string{TokenProgram}},
		"token-2022, with its account": {
			Payments: []intent.Payment{
				{To: to, Amount: sol(2_248_080)}, {At: 1, To: to, Amount: spl(2_500_000), Decimals: 6}},
			Outflow: []intent.Amount{sol(2_253_080), spl(2_500_000)}, Fee: 5000, Programs: []string{ataID, token2022}},
		"token-2022 with a fee": {
			Payments: []intent.Payment{{To: "account:" + names["ata2022"], Amount: spl(1000), Decimals: 6}},
			Outflow:  []intent.Amount{spl(1000), sol(5000)}, Fee: 5000, Programs: []string{token2022}},
		"durable nonce": {
			Payments: []intent.Payment{{At: 1, To: to, Amount: sol(5)}},
			Outflow:  []intent.Amount{sol(5005)}, Fee: 5000, Programs: []string{system}, Nonce: names["nonce"]},
		"nonce account made": {
			Payments: []intent.Payment{{To: names["nonce"], Amount: sol(1_447_680)}},
			Outflow:  []intent.Amount{sol(1_457_680)}, Fee: 10_000, Foreign: 1, Programs: []string{system}},
		"nonce account emptied": {
			Payments: []intent.Payment{{To: to, Amount: sol(1_447_680)}},
			Outflow:  []intent.Amount{sol(1_452_680)}, Fee: 5000, Programs: []string{system}},
		"with seeds": {
			Payments: []intent.Payment{{To: names["derived"], Amount: sol(10)}, {At: 1, To: to, Amount: sol(3)}},
			Outflow:  []intent.Amount{sol(5013)}, Fee: 5000, Programs: []string{system}},
		"payee behind a lookup table": {
			Outflow: []intent.Amount{sol(5000)}, Fee: 5000, Programs: []string{system},
			Unclear: []intent.Refusal{{Code: intent.NotUnderstood, Reason: "instruction 0, of " + system +
				", is Transfer, with an account behind a lookup table"}}},
		"memo": {
			Payments: []intent.Payment{{At: 1, To: to, Amount: sol(1)}},
			Outflow:  []intent.Amount{sol(5001)}, Fee: 5000, Programs: []string{memoID, system}},
		"unknown program": {
			Outflow: []intent.Amount{sol(5000)}, Fee: 5000, Programs: []string{names["program"]},
			Unclear: []intent.Refusal{{Code: intent.NotUnderstood, Program: names["program"],
				Reason: "instruction 0 calls program " + names["program"] +
					", which is not known, with a signer of the client's"}}},
	} {
		t.Run(what, func(t *testing.T) {
			raw := transactions[what]
			tx := mustRead(t, raw, "us")
			got := *tx.Intent()
			s := got.Signatures
			message := raw[1+int(raw[0])*64:]
			at := 0
			if what == "two signers, one signed" {
				at = 1
			}
			if len(s) != 1 || string(s[0].Message) != string(message) || key(s[0].PublicKey) != keyOf("us") ||
				s[0].At != at {
				t.Errorf("signatures %+v", s)
			}
			id := sha256.Sum256(message)
			want.Kind, want.ID, want.Signatures = intent.SolanaTransaction, hex.EncodeToString(id[:]), s
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
			if n, err := Signers(raw); n != 1+got.Foreign || err != nil {
				t.Errorf("%d signers, %v", n, err)
			}
			if !looksLikeTransaction(message) || looksLikeTransaction(raw) {
				t.Error("a message of a transaction looks like none, or a whole one does")
			}
		})
		delete(transactions, what)
	}
	if len(transactions) > 0 {
		t.Errorf("%d transactions are not looked at", len(transactions))
	}
}

// Keys that are to sign are found among the signers, or named.
func TestWhoSigns(t *testing.T) {
	t.Parallel()
	raw := draft{signers: []string{"other", "us2", "us"}, calls: []callDraft{
		transferOf("us", "payee", 1), transferOf("us2", "payee", 2), transferOf("other", "payee", 4)}}.bytes()
	in := mustRead(t, raw, "us", "us2").Intent()
	if len(in.Signatures) != 2 || in.Signatures[0].Root != 1 || in.Signatures[0].At != 1 ||
		in.Signatures[1].Root != 0 || in.Signatures[1].At != 2 || in.Foreign != 1 || in.Fee != 0 {
		t.Errorf("%+v", in)
	}
	if want := []intent.Amount{{Asset: "sol", Units: 3}}; !slices.Equal(in.Outflow, want) || len(in.Payments) != 2 {
		t.Errorf("outflow %v, payments %v", in.Outflow, in.Payments)
	}
	secp := rootOf("us")
	secp.Key.Suite++
	deep := rootOf("us", make([]uint32, 300)...)
	for i, bad := range []struct {
		roots []intent.Root
		says  string
	}{
		{nil, "no key is named"},
		{roots("us", "payee"), "key payee, " + addressOf("payee") + ", is no signer"},
		{roots("us", "us2", "us"), "key us and key us are the same signer"},
		{[]intent.Root{rootOf("us", 0, 17)}, "key us at 0/17, "},
		{[]intent.Root{secp}, "key us is no key of Ed25519"},
		{[]intent.Root{deep}, "too many steps"},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			_, refusal := ReadTransaction(raw, bad.roots, newCache())
			if refusal == nil || refusal.Code != intent.NoInput || !strings.Contains(refusal.Reason, bad.says) {
				t.Errorf("%v", refusal)
			}
		})
	}
}

// What is finished verifies, and what others signed stays.
func TestFinish(t *testing.T) {
	t.Parallel()
	transactions, _ := web3js(t)
	raw := transactions["two signers, one signed"]
	tx := mustRead(t, raw, "us")
	message := tx.Intent().Signatures[0].Message
	done, err := tx.Finish([][]byte{ed25519.Sign(secret("us"), message)}, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, signer := range []string{"other", "us"} {
		k := keyOf(signer)
		if !ed25519.Verify(k[:], done.Transaction[129:], done.Transaction[1+64*i:65+64*i]) {
			t.Errorf("the signature of %s does not verify", signer)
		}
	}
	if unsigned, err := tx.Finish([][]byte{nil}, true); err != nil || string(unsigned.Transaction) != string(raw) {
		t.Errorf("without a signature: %v", err)
	}
	for _, bad := range [][][]byte{nil, {nil, nil}, {make([]byte, 63)}} {
		if _, err := tx.Finish(bad, false); err == nil {
			t.Errorf("took %d signatures", len(bad))
		}
	}
}
