package solana

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// meaningOf puts payments and what is unclear into words, with names for addresses.
func meaningOf(in *intent.Intent) (words []string) {
	var names []string
	for _, n := range []string{"us", "us2", "payee", "mint", "other", "owner", "x"} {
		names = append(names, addressOf(n), n)
	}
	short := strings.NewReplacer(append(names, systemID, "System", TokenProgram, "Token", Token2022Program, "Token2022",
		ataID, "Associated", budgetID, "Budget")...)
	for _, p := range in.Payments {
		words = append(words, short.Replace(fmt.Sprintf("%d: %s %d to %s", p.At, p.Asset, p.Units, p.To)))
	}
	for _, u := range in.Unclear {
		listable := ""
		if u.Program != "" {
			listable = ", unless listed"
		}
		words = append(words, short.Replace(u.Reason)+listable)
	}
	if in.Nonce != "" {
		words = append(words, short.Replace("nonce "+in.Nonce))
	}
	return words
}

const (
	seven  = uint64(7)
	eighty = uint64(80)
	unread = "which is not understood, or not in this form"
)

type (
	calls = []callDraft
	says  = []string
)

// seed is a string of bincode.
func seed(text string) []byte { return fields(uint64(len(text)), []byte(text)) }

func TestSystem(t *testing.T) {
	t.Parallel()
	owner := fields("x")
	call := func(kind uint32, accounts string, data ...any) callDraft {
		return callDraft{systemID, strings.Fields(accounts), fields(append([]any{kind}, data...)...)}
	}
	for name, test := range map[string]struct {
		calls calls
		want  says
	}{
		"transfer":     {calls{call(2, "us payee", seven)}, says{"0: sol 7 to payee"}},
		"of nothing":   {calls{call(2, "us payee", uint64(0))}, says{"0: sol 0 to payee"}},
		"to oneself":   {calls{call(2, "us us", seven)}, says{"0: sol 7 to us"}},
		"between ours": {calls{call(2, "us us2", seven)}, says{"0: sol 7 to us2"}},
		"received":     {calls{call(2, "other us", seven)}, nil},
		"others'":      {calls{call(2, "other payee", seven)}, nil},
		"two": {calls{call(2, "us payee", seven), call(2, "us x", uint64(8))},
			says{"0: sol 7 to payee", "1: sol 8 to x"}},
		"a byte more":     {calls{call(2, "us payee", seven, 0)}, says{"is Transfer, " + unread}},
		"a byte less":     {calls{call(2, "us payee", uint32(7))}, says{"is Transfer, " + unread}},
		"an account more": {calls{call(2, "us payee x", seven)}, says{"is Transfer, " + unread}},
		"an account less": {calls{call(2, "us", seven)}, says{"is Transfer, " + unread}},
		"no kind": {calls{{systemID, says{"us"}, []byte{2, 0, 0}}},
			says{"is an instruction, " + unread}},
		"new kind": {calls{call(13, "us payee", seven)}, says{"is instruction number 13, " + unread}},
		"large kind": {calls{call(math.MaxUint32, "us payee")},
			says{"is instruction number 4294967295, " + unread}},
		"CreateAccount": {calls{call(0, "us x", seven, eighty, owner)}, says{"0: sol 7 to x"}},
		"CreateAccount of ours": {calls{call(0, "other us", seven, eighty, owner)},
			says{"is CreateAccount, which hands a signer's own account to a program"}},
		"CreateAccount both ours": {calls{call(0, "us us2", seven, eighty, owner)},
			says{"is CreateAccount, which hands"}},
		"CreateAccount others'": {calls{call(0, "other x", seven, eighty, owner)}, nil},
		"CreateAccount long": {calls{call(0, "us x", seven, eighty, owner, 0)},
			says{"is CreateAccount, " + unread}},
		"Assign":                     {calls{call(1, "us", owner)}, says{"is Assign, " + unread}},
		"Assign others'":             {calls{call(1, "other", owner)}, nil},
		"Allocate":                   {calls{call(8, "us", uint64(1))}, says{"is Allocate, " + unread}},
		"AuthorizeNonceAccount":      {calls{call(7, "x us", owner)}, says{"is AuthorizeNonceAccount, " + unread}},
		"InitializeNonceAccount":     {calls{call(6, "x", fields("us"))}, nil},
		"WithdrawNonceAccount":       {calls{call(5, "x payee mint owner us", seven)}, says{"0: sol 7 to payee"}},
		"WithdrawNonceAccount to us": {calls{call(5, "x us mint owner other", seven)}, nil},
		"seed": {calls{call(3, "us x us2", fields("us2"), seed("s"), seven, eighty, owner)},
			says{"0: sol 7 to x"}},
		"seed, one account less": {calls{call(3, "us x", fields("us"), seed(""), seven, eighty, owner)},
			says{"0: sol 7 to x"}},
		"seed, base of ours": {calls{call(3, "other x us", fields("us"), seed("s"), seven, eighty, owner)},
			says{"is CreateAccountWithSeed, " + unread}},
		"seed too long": {calls{call(3, "us x us", fields("us"), uint64(math.MaxUint64), seven, eighty, owner)},
			says{"is CreateAccountWithSeed, " + unread}},
		"TransferWithSeed": {calls{call(11, "x us payee", seven, seed("seed"), owner)},
			says{"0: sol 7 to payee"}},
		"TransferWithSeed, longer": {calls{call(11, "x us payee", seven, seed("seed"), owner, 1)},
			says{"is TransferWithSeed, " + unread}},
		"nonce": {calls{call(4, "x mint us"), call(2, "us payee", seven)},
			says{"1: sol 7 to payee", "nonce x"}},
		"nonce of others": {calls{call(4, "x mint other")}, says{"nonce x"}},
		"nonce second": {calls{call(2, "us payee", seven), call(4, "x mint other")},
			says{"0: sol 7 to payee", "is AdvanceNonceAccount, which has to come first"}},
		"two nonces": {calls{call(4, "x mint us"), call(4, "owner mint us")},
			says{"1, of System, is AdvanceNonceAccount, which has to come first, and once", "nonce x"}},
		"nonce, longer":      {calls{call(4, "x mint other", 0)}, says{"is AdvanceNonceAccount, " + unread}},
		"nonce, no accounts": {calls{call(4, "")}, says{"is AdvanceNonceAccount, " + unread}},
		"hidden payee": {calls{transferOf("us", "lookup0", 7)},
			says{"is Transfer, with an account behind a lookup table"}},
		"hidden, others'": {calls{transferOf("other", "lookup0", 7)}, nil},
		"hidden nonce": {calls{call(4, "lookup1 mint other")},
			says{"is AdvanceNonceAccount, with an account behind a lookup table"}},
		"hidden new account": {calls{call(0, "us lookup1", seven, eighty, owner)},
			says{"is CreateAccount, with an account behind"}},
	} {
		t.Run(name, func(t *testing.T) { checkMeaning(t, test.calls, test.want) })
	}
}

// checkMeaning compares what calls mean for us and us2, who don't pay the fee, with words
// that each must have.
func checkMeaning(t *testing.T, calls calls, want []string) {
	t.Helper()
	d := draft{version0: true, signers: says{"other", "us", "us2"}, calls: calls, lookups: 2}
	in := mustRead(t, d.bytes(), "us", "us2").Intent()
	got := meaningOf(in)
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
	left := map[string]uint64{}
	for _, p := range in.Payments {
		left[p.Asset] += p.Units
	}
	for _, a := range in.Outflow {
		if left[a.Asset] != a.Units {
			t.Errorf("outflow of %s is %d and not %d", a.Asset, a.Units, left[a.Asset])
		}
		delete(left, a.Asset)
	}
	if len(left) > 0 || in.Fee != 0 {
		t.Errorf("%v is no outflow; fee %d", left, in.Fee)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	const four = "x mint owner us"
	associatedOf := func(program, mint string) string {
		a, err := AssociatedAccount(addressOf("payee"), program, addressOf(mint))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ata, ata2022 := associatedOf(TokenProgram, "mint"), associatedOf(Token2022Program, "mint")
	foreign := associatedOf(TokenProgram, "other")
	words := func(names ...string) string { return strings.Join(names, " ") }
	call := func(program, accounts string, data ...any) callDraft {
		return callDraft{program, strings.Fields(accounts), fields(data...)}
	}
	checked := func(accounts string, units int) callDraft {
		return call(TokenProgram, accounts, 12, uint64(units), 6)
	}
	made := func(funder, account, program string, data ...any) callDraft {
		return call(ataID, words(funder, account, "payee mint", systemID, program), data...)
	}
	const rent, rent2022 = "sol 2039280", "sol 2248080"
	for name, test := range map[string]struct {
		calls calls
		want  says
	}{
		"TransferChecked":   {calls{checked(four, 7)}, says{"0: spl:mint 7 to account:owner"}},
		"others'":           {calls{checked("x mint owner other", 7)}, nil},
		"a signer more":     {calls{checked(four+" us2", 7)}, says{"is TransferChecked, " + unread}},
		"multisig":          {calls{checked("x mint owner other us", 7)}, says{"is TransferChecked, " + unread}},
		"we are the source": {calls{checked("us mint owner other", 7)}, says{"is TransferChecked, " + unread}},
		"an account less":   {calls{checked("x owner us", 7)}, says{"is TransferChecked, " + unread}},
		"a byte more": {calls{call(TokenProgram, four, 12, seven, 6, 0)},
			says{"is an instruction on tokens, " + unread}},
		"a byte less": {calls{call(TokenProgram, four, 12, seven)},
			says{"is an instruction on tokens, " + unread}},
		"no data": {calls{call(TokenProgram, four)}, says{"is an instruction on tokens, " + unread}},
		"Transfer": {calls{call(TokenProgram, "x owner us", 3, seven)},
			says{"is Transfer, which doesn't say of which token"}},
		"Transfer, others'": {calls{call(TokenProgram, "x owner other", 3, seven)}, nil},
		"Approve": {calls{call(TokenProgram, "x owner us", 4, seven)},
			says{"is an instruction on tokens, " + unread}},
		"SetAuthority": {calls{call(TokenProgram, "x us", 6, 2, 1, fields("x"))},
			says{"is an instruction on tokens, " + unread}},
		"CloseAccount": {calls{call(TokenProgram, "x us us", 9)},
			says{"is an instruction on tokens, " + unread}},
		"Batch": {calls{call(TokenProgram, four, 255, 4, 10, 12, seven, 6)},
			says{"is an instruction on tokens, " + unread}},
		"SyncNative": {calls{call(TokenProgram, "x", 17)}, nil},
		"Token-2022": {calls{call(Token2022Program, four, 12, seven, 6)},
			says{"0: spl:mint 7 to account:owner"}},
		"with a fee": {calls{call(Token2022Program, four, 26, 1, seven, 6, uint64(1))},
			says{"0: spl:mint 7 to account:owner"}},
		"a fee of SPL Token": {calls{call(TokenProgram, four, 26, 1, seven, 6, uint64(1))},
			says{"is an instruction on tokens, " + unread}},
		"other fee instruction": {calls{call(Token2022Program, four, 26, 2, seven, 6, uint64(1))},
			says{"is an instruction on tokens, " + unread}},
		"hook": {calls{call(Token2022Program, four+" payee", 12, seven, 6)},
			says{"is TransferChecked, " + unread}},
		"confidential": {calls{call(Token2022Program, four, 27, 7)},
			says{"is an instruction on tokens, " + unread}},
		"hidden mint": {calls{checked("x lookup0 owner us", 7)},
			says{"is TransferChecked, with an account behind a lookup table"}},
		"hidden payee": {calls{checked("x mint lookup1 us", 7)},
			says{"is TransferChecked, with an account behind a lookup table"}},
		"made":         {calls{made("us", ata, TokenProgram)}, says{"0: " + rent + " to payee"}},
		"made, Create": {calls{made("us", ata, TokenProgram, 0)}, says{"0: " + rent + " to payee"}},
		"made and paid": {calls{made("us", ata, TokenProgram, 1), checked("x mint "+ata+" us", 7)},
			says{"0: " + rent + " to payee", "1: spl:mint 7 to payee"}},
		"paid and made by another": {calls{checked("x mint "+ata+" us", 7), made("other", ata, TokenProgram, 1)},
			says{"0: spl:mint 7 to payee"}},
		"made of Token-2022": {calls{made("us", ata2022, Token2022Program, 1)}, says{"0: " + rent2022 + " to payee"}},
		"made for another mint": {calls{call(ataID, words("other", foreign, "payee other", systemID, TokenProgram), 1),
			checked("x mint "+foreign+" us", 7)}, says{"1: spl:mint 7 to account:" + foreign}},
		"made, not its address": {calls{made("us", "x", TokenProgram, 1), checked("x mint x us", 7)},
			says{"1: spl:mint 7 to account:x", "is an instruction on an associated account, " + unread}},
		"made, other program's address": {calls{made("us", ata2022, TokenProgram, 1)},
			says{"is an instruction on an associated account"}},
		"made by no token program": {calls{made("us", ata, "x", 1)},
			says{"is an instruction on an associated account"}},
		"made, hidden": {calls{made("us", "lookup0", TokenProgram, 1)},
			says{"with an account behind a lookup table"}},
		"made, kind 2": {calls{made("us", ata, TokenProgram, 2)},
			says{"is an instruction on an associated account"}},
		"made, longer": {calls{made("us", ata, TokenProgram, 1, 0)},
			says{"is an instruction on an associated account"}},
		"made of old": {calls{call(ataID, words("us", ata, "payee mint", systemID, TokenProgram,
			"SysvarRent111111111111111111111111111111111"))}, says{"0: " + rent + " to payee"}},
		"made of old, not the sysvar": {calls{call(ataID, words("us", ata, "payee mint", systemID, TokenProgram, "x"))},
			says{"is an instruction on an associated account"}},
		"few accounts":       {calls{call(ataID, "us", 1)}, says{"is an instruction on an associated account"}},
		"others' associated": {calls{call(ataID, "other", 1)}, nil},
	} {
		t.Run(name, func(t *testing.T) { checkMeaning(t, test.calls, test.want) })
	}
}

func TestOtherPrograms(t *testing.T) {
	t.Parallel()
	const listable = "with a signer of the client's, unless listed"
	unknown := func(accounts ...string) []callDraft { return calls{{"x", accounts, []byte{1, 2, 3}}} }
	for name, test := range map[string]struct {
		calls calls
		want  says
	}{
		"unknown":          {unknown("us"), says{"instruction 0 calls program x, which is not known, " + listable}},
		"unknown, hidden":  {unknown("us2", "lookup0"), says{"is not known, " + listable}},
		"without us":       {unknown("other", "lookup1"), nil},
		"without accounts": {unknown(), nil},
		"memo":             {calls{{memoID, says{"us", "lookup0"}, []byte("hello")}}, nil},
		"memo of old":      {calls{{"Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo", nil, []byte("hello")}}, nil},
		"Ed25519 signature": {calls{{"Ed25519SigVerify111111111111111111111111111", nil, []byte{1, 0}}},
			says{"for fees that are not counted"}},
		"secp256k1": {calls{{"KeccakSecp256k11111111111111111111111111111", nil, []byte{1}}},
			says{"for fees that are not counted"}},
		"secp256r1": {calls{{"Secp256r1SigVerify1111111111111111111111111", nil, []byte{1}}},
			says{"for fees that are not counted"}},
		"stake program": {calls{{"Stake11111111111111111111111111111111111111", says{"x", "us"}, fields(uint32(5))}},
			says{"is not known, " + listable}},
		"we are the program": {calls{{"us", nil, nil}}, nil},
	} {
		t.Run(name, func(t *testing.T) { checkMeaning(t, test.calls, test.want) })
	}
}

// What a transaction pays for priority, at most.
func TestFee(t *testing.T) {
	t.Parallel()
	limit := func(units int) callDraft { return callDraft{budgetID, nil, fields(2, uint32(units))} }
	price := func(p uint64) callDraft { return callDraft{budgetID, nil, fields(3, p)} }
	pay, memo := transferOf("us", "payee", 1), callDraft{memoID, nil, nil}
	bad := "of Budget, is an instruction, " + unread
	for name, test := range map[string]struct {
		calls calls
		fee   uint64
		words string
	}{
		"none":              {nil, 0, ""},
		"limit only":        {calls{limit(1000), pay}, 0, ""},
		"rounded up":        {calls{limit(1), price(1), pay}, 1, ""},
		"exact":             {calls{price(1_000_000), limit(17), pay}, 17, ""},
		"limit of nothing":  {calls{price(1_000_000), limit(0), pay}, 0, ""},
		"above what may be": {calls{price(1_000_000), limit(2_000_000), pay}, 1_400_000, ""},
		"no limit":          {calls{price(1_000_000), pay, memo}, 403_000, ""},
		"no limit, many":    {calls{price(1_000_000), pay, memo, memo, memo, memo, memo, memo}, 1_400_000, ""},
		"the highest price": {calls{price(math.MaxUint64), limit(1_000), pay}, 18_446_744_073_709_552, ""},
		"heap":              {calls{{budgetID, nil, fields(1, uint32(65536))}}, 0, ""},
		"loaded data":       {calls{{budgetID, nil, fields(4, uint32(1))}}, 0, ""},
		"a byte more":       {calls{{budgetID, nil, fields(3, uint64(1), 0)}}, 0, bad},
		"a byte less":       {calls{{budgetID, nil, fields(2, 1)}}, 0, bad},
		"an account":        {calls{{budgetID, says{"us"}, fields(2, uint32(1))}}, 0, bad},
		"kind 0":            {calls{{budgetID, nil, fields(0, uint32(1))}}, 0, bad},
		"kind 5":            {calls{{budgetID, nil, fields(5, uint32(1))}}, 0, bad},
		"no data":           {calls{{budgetID, nil, nil}}, 0, bad},
		"price twice":       {calls{price(5_000_000), limit(1), price(0)}, 5, "limit or price for a second time"},
	} {
		t.Run(name, func(t *testing.T) {
			in := mustRead(t, draft{signers: says{"us", "other"}, calls: test.calls}.bytes(), "us").Intent()
			if in.Fee != 10_000+test.fee {
				t.Errorf("fee %d, want %d", in.Fee, 10_000+test.fee)
			}
			words := meaningOf(in)
			got := strings.Join(words[len(in.Payments):], " ")
			if !strings.Contains(got, test.words) || got != "" && test.words == "" {
				t.Errorf("%q, want %q", got, test.words)
			}
			if want := (intent.Amount{Asset: "sol", Units: in.Fee + uint64(len(in.Payments))}); in.Outflow[0] != want {
				t.Errorf("outflow %v", in.Outflow)
			}
			foreign := mustRead(t, draft{signers: says{"other", "us"}, calls: test.calls}.bytes(), "us").Intent()
			if foreign.Fee != 0 || len(foreign.Outflow) != len(foreign.Payments) {
				t.Errorf("another pays the fee: %+v", foreign)
			}
		})
	}
}

// More than there can be is no transaction.
func TestOverflow(t *testing.T) {
	t.Parallel()
	all := transferOf("us", "payee", math.MaxUint64)
	price := callDraft{budgetID, nil, fields(3, uint64(math.MaxUint64))}
	half, units := transferOf("us", "payee", math.MaxUint64/2), callDraft{budgetID, nil, fields(2, uint32(900_000))}
	token := callDraft{TokenProgram, says{"x", "mint", "owner", "us"}, fields(12, uint64(math.MaxUint64), 6)}
	for name, calls := range map[string]calls{
		"two payments":         {all, all},
		"a payment and a fee":  {all},
		"a price":              {price, {budgetID, nil, fields(2, uint32(1_400_000))}},
		"a price and payments": {price, units, half},
		"tokens":               {token, token},
	} {
		t.Run(name, func(t *testing.T) {
			_, refusal := read(draft{signers: says{"us"}, calls: calls}.bytes(), "us")
			if refusal == nil || refusal.Code != intent.BadTransaction || !strings.Contains(refusal.Reason, "2^64-1") {
				t.Errorf("%v", refusal)
			}
		})
	}
	mustRead(t, draft{signers: says{"us"}, calls: calls{token, half}}.bytes(), "us")
}

// Sentences are one line, and programs are listed once.
func TestWords(t *testing.T) {
	t.Parallel()
	in := mustRead(t, draft{signers: says{"us"}, calls: calls{
		{"x", says{"us"}, nil}, transferOf("us", "payee", 1), {"x", nil, nil}}}.bytes(), "us").Intent()
	if want := []string{addressOf("x"), systemID}; !slices.Equal(in.Programs, want) {
		t.Errorf("programs %v", in.Programs)
	}
	for _, u := range in.Unclear {
		if bytes.ContainsAny([]byte(u.Reason), "\n\r\t") || u.At != 0 || u.Code != intent.NotUnderstood {
			t.Errorf("%+v", u)
		}
	}
}
